import type { SandboxContainer } from '../../proto/sandbox-record.ts';
import { coupleStdio, type HandedOn } from '../guest-client/container-stdio.ts';
import { StdioMux } from '../system/channel/stdio-mux.ts';
import { Undo } from '../system/undo.ts';
import type { Vm } from '../vmm/port.ts';
import type { Pod } from './create-pod.ts';
import { connectAgent, connectStdio, type GuestContext, openStreams, STDIO_ID } from './guest-connection.ts';

export interface ResumedPod {
  readonly pod: Pod;
  /** How much of the container's input the guest has handed on; the end counts as one byte. */
  readonly stdinBytes: number;
}

/**
 * Connects to the guest of a VM that another shim booted, which may take as long as the guest is stopped. `handedOn` says
 * how much output has gone the whole way; undefined: nobody wants it any more, and it is dropped. What fails is undone,
 * so that it can be tried again.
 */
export async function resumePod(
  context: GuestContext,
  vm: Vm,
  container: SandboxContainer,
  handedOn: HandedOn | undefined,
): Promise<ResumedPod> {
  const undo = new Undo(context.log);
  context.undo.defer('connection to the guest', async () => void (await undo.unwind()));
  try {
    const connection = { ...context, undo };
    const agent = await connectAgent(connection);
    const mux = new StdioMux();
    if (handedOn === undefined) {
      await connectStdio(connection, mux);
      return { pod: { vm, agent, stdio: undefined }, stdinBytes: 0 };
    }
    // Before the channel: what comes for a stream that is not open is dropped.
    const stdio = coupleStdio(mux, STDIO_ID, openStreams(connection, container), context.log, handedOn);
    undo.defer('stdio', () => stdio.close());
    await connectStdio(connection, mux);
    return { pod: { vm, agent, stdio }, stdinBytes: await stdio.resumeInput() };
  } catch (error) {
    await undo.unwind();
    throw error;
  }
}
