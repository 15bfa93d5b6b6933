import { describe, expect, it } from 'vitest';
import { SANDBOX_STATES, type SandboxState } from '../../proto/sandbox-record.ts';
import { StateMachine } from './state.ts';

const ALLOWED = [
  'creating running',
  'creating stopping',
  'creating failed',
  'running stopping',
  'running failed',
  'stopping stopped',
  'failed stopped',
];
const WAY: Record<SandboxState, readonly SandboxState[]> = {
  creating: [],
  running: ['running'],
  stopping: ['stopping'],
  failed: ['failed'],
  stopped: ['stopping', 'stopped'],
};

function machineIn(state: SandboxState): StateMachine {
  const machine = new StateMachine();
  for (const step of WAY[state]) machine.transition(SANDBOX_STATES, step);
  expect(machine.current).toBe(state);
  return machine;
}

const pairs = SANDBOX_STATES.flatMap((from) => SANDBOX_STATES.map((to) => ({ from, to })));

describe('sandbox states', () => {
  it.each(pairs)('$from to $to', ({ from, to }) => {
    const machine = machineIn(from);
    if (ALLOWED.includes(`${from} ${to}`)) {
      expect(machine.transition([from], to)).toBe(true);
      expect(machine.current).toBe(to);
    } else {
      expect(() => machine.transition([from], to)).toThrow(expect.objectContaining({ code: 'internal' }));
      expect(machine.current).toBe(from);
    }
  });

  it('leaves the state to whoever moved first', () => {
    const machine = machineIn('stopping');
    expect(machine.transition(['creating', 'running'], 'failed')).toBe(false);
    expect(machine.current).toBe('stopping');
  });
});
