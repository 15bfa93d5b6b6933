import '../system/native/polyfill.ts';
import { assertNever, describeError } from '../../proto/fault.ts';
import { armFailpoint } from '../system/failpoint.ts';
import { nativeFailpointHost } from '../system/native/failpoint-host.ts';
import { sys } from '../system/native/sys.ts';
import { createNativeSystem } from '../system/native/system.ts';
import { startTrace, TRACE_VARIABLE } from '../system/trace.ts';
import { enterJail } from '../vmm/jail/enter-jail.ts';
import { parseJailRequest } from '../vmm/jail/request.ts';
import { type Invocation, parseInvocation } from './flags.ts';
import { probe } from './probe.ts';
import { servePod } from './serve.ts';
import { readStdin, writeStderr, writeStdout } from './standard-streams.ts';
import { start } from './start.ts';

/** What goes to standard output is all that goes there: containerd reads the address from it. */
async function run(invocation: Invocation): Promise<void> {
  switch (invocation.verb) {
    case 'start':
      return writeStdout(await start(invocation.flags));
    case 'serve':
      return servePod(invocation.flags);
    case 'probe':
      return writeStdout(await probe(invocation.flags));
    case 'jail':
      return enterJail(parseJailRequest(invocation.request), invocation.args);
    case 'write-durable': {
      const { path, mode } = invocation;
      return createNativeSystem().writeFile(path, await readStdin(), { mode, durable: true });
    }
    case 'version': {
      const { engine, libc } = sys.versions();
      return writeStdout(`containerd-shim-berth-v2: ${engine}, ${libc}\n`);
    }
    default:
      return assertNever(invocation);
  }
}

async function main(): Promise<number> {
  const args = sys.args().slice(1);
  startTrace(sys.env()[TRACE_VARIABLE], writeStderr);
  armFailpoint(nativeFailpointHost);
  try {
    await run(parseInvocation(args));
    return 0;
  } catch (error) {
    // `start` reads what the pod's process says on standard output; its standard error is a log by then.
    const tell = args.includes('serve') ? writeStdout : writeStderr;
    tell(`${describeError(error)}\n`);
    return 1;
  }
}

sys.main = () => void main().then(sys.exit);
