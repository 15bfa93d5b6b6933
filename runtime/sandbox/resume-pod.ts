import type { SandboxContainer } from '../../proto/sandbox-record.ts';
import { type ContainerStdio, coupleStdio, type HandedOn } from '../guest-client/container-stdio.ts';
import { StdioMux } from '../system/channel/stdio-mux.ts';
import { Undo } from '../system/undo.ts';
import type { Vm } from '../vmm/port.ts';
import type { Pod } from './create-pod.ts';
import { connectAgent, connectStdio, type GuestContext, openStreams } from './guest-connection.ts';

export interface ResumedPod {
  readonly pod: Pod;
  /** How much of each container's input the guest has handed on; the end counts as one byte. */
  readonly stdinBytes: ReadonlyMap<string, number>;
}

const NOTHING: HandedOn = { stdout: 0, stderr: 0 };

/**
 * Connects to the guest of a VM that another shim booted, which may take as long as the guest is stopped. `handedOn` says
 * of containers how much output has gone the whole way; undefined: nobody wants it any more, and it is dropped. What fails
 * is undone, so that it can be tried again.
 */
export async function resumePod(
  context: GuestContext,
  vm: Vm,
  containers: readonly SandboxContainer[],
  handedOn: ReadonlyMap<string, HandedOn> | undefined,
): Promise<ResumedPod> {
  const undo = new Undo(context.log);
  context.undo.defer('connection to the guest', async () => void (await undo.unwind()));
  try {
    const connection = { ...context, undo };
    const agent = await connectAgent(connection);
    const mux = new StdioMux();
    if (handedOn === undefined) {
      await connectStdio(connection, mux);
      return { pod: { vm, agent, stdio: new Map() }, stdinBytes: new Map() };
    }
    // All of them before the channel: what comes for a stream that is not open is dropped.
    const stdio = new Map<string, ContainerStdio>();
    for (const container of containers) {
      const { id, stdioId } = container;
      const had = handedOn.get(id) ?? NOTHING;
      const coupled = coupleStdio(mux, stdioId, openStreams(connection, container), context.log, had);
      undo.defer(`stdio of ${id}`, () => coupled.close());
      stdio.set(id, coupled);
    }
    await connectStdio(connection, mux);
    return { pod: { vm, agent, stdio }, stdinBytes: await resumeInputs(stdio) };
  } catch (error) {
    await undo.unwind();
    throw error;
  }
}

async function resumeInputs(stdio: ReadonlyMap<string, ContainerStdio>): Promise<ReadonlyMap<string, number>> {
  const resumed = [...stdio].map(async ([id, container]) => [id, await container.resumeInput()] as const);
  return new Map(await Promise.all(resumed));
}
