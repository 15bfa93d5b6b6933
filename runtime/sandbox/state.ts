import { Fault } from '../../proto/fault.ts';
import type { SandboxState } from '../../proto/sandbox-record.ts';

/** What may follow each state. `running` means that the VM runs and the container exists, whether started or not. */
const NEXT = {
  creating: ['running', 'stopping', 'failed'],
  running: ['stopping', 'failed'],
  stopping: ['stopped'],
  failed: ['stopped'],
  stopped: [],
} as const satisfies Record<SandboxState, readonly SandboxState[]>;

/** The only writer of a sandbox's state. */
export class StateMachine {
  private state: SandboxState = 'creating';

  get current(): SandboxState {
    return this.state;
  }

  /** Enters `to` if the state is one of `from`. False if not: somebody else moved first, and has what follows to do. */
  transition(from: readonly SandboxState[], to: SandboxState): boolean {
    if (!from.includes(this.state)) return false;
    if (!(NEXT[this.state] as readonly SandboxState[]).includes(to)) {
      throw new Fault('internal', `a sandbox that is ${this.state} cannot become ${to}`);
    }
    this.state = to;
    return true;
  }
}
