import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { Fault } from '../../proto/fault.ts';
import type { LaunchAnswer, LaunchRequest } from '../launcher/protocol.ts';

/** Programs run one after another by bench/launcher. */
export interface Launcher {
  /** Throws Fault `exec` when the program fails: the time of a failure is no figure. */
  launch(request: LaunchRequest): Promise<LaunchAnswer>;
  close(): Promise<void>;
}

/** `prefix` enters the namespaces in which the programs are to run. */
export function openLauncher(binary: string, prefix: readonly string[]): Launcher {
  const [file = '', ...args] = [...prefix, binary];
  const child = execa(file, args, { stdin: 'pipe', stderr: 'inherit', buffer: false, reject: false });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async launch(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Fault('exec', 'the launcher of the benchmark ended');
      const answer: LaunchAnswer = JSON.parse(value);
      if (answer.exitCode === 0) return answer;
      const { stdout, stderr } = answer;
      throw new Fault('exec', `${request.argv[0]} failed: ${stdout}${stderr}`, { fields: { stdout, stderr } });
    },
    async close() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}
