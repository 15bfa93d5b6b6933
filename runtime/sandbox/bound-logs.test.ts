import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Fault } from '../../proto/fault.ts';
import { createLog } from '../system/log.ts';
import type { VmExit } from '../vmm/port.ts';
import { boundLogs } from './bound-logs.ts';

let end: () => void;
let exited: Promise<VmExit>;
const said: string[] = [];
const log = createLog((line) => said.push(line), 'warn');
beforeEach(() => {
  vi.useFakeTimers();
  said.length = 0;
  exited = new Promise((resolve) => {
    end = () => resolve({ code: 0, signal: 0, lastWords: '' });
  });
});
afterEach(() => vi.useRealTimers());

it('looks at each file again and again for as long as the VM lives', async () => {
  const seen: string[] = [];
  const bounded = boundLogs({ host: { forgetHead: (path) => seen.push(path) }, log }, { exited }, ['/a', '/b']);
  await vi.advanceTimersByTimeAsync(10_500);
  expect(seen).toEqual(['/a', '/b', '/a', '/b']);
  end();
  await bounded;
  await vi.advanceTimersByTimeAsync(10_500);
  expect(seen).toHaveLength(4);
  expect(said).toEqual([]);
});

it('says that it cannot, once, and fails nobody', async () => {
  const forgetHead = () => {
    throw new Fault('io', 'no such luck');
  };
  const bounded = boundLogs({ host: { forgetHead }, log }, { exited }, ['/a']);
  await vi.advanceTimersByTimeAsync(20_000);
  await bounded;
  expect(said).toHaveLength(1);
});
