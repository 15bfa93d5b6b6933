import { faultIn } from '../../proto/fault.ts';
import type { SandboxContainer } from '../../proto/sandbox-record.ts';
import type { CreatePod } from '../../proto/shim.ts';
import { type ContainerStdio, coupleStdio } from '../guest-client/container-stdio.ts';
import type { Agent } from '../guest-client/control.ts';
import type { ContainerPlan } from '../plan/types.ts';
import type { StdioMux } from '../system/channel/stdio-mux.ts';
import { failpoint } from '../system/failpoint.ts';
import { openStreams } from './guest-connection.ts';
import type { PodContext } from './start-vm.ts';

interface Guest {
  readonly agent: Agent;
  readonly mux: StdioMux;
}

export interface CreatedContainers {
  /** What a shim that takes our place must know of them. */
  readonly records: readonly SandboxContainer[];
  /** By container id. */
  readonly stdio: ReadonlyMap<string, ContainerStdio>;
}

/** Has the guest make the containers, which wait for their start. `asked` has them in the order of the plan. */
export async function createContainers(
  context: PodContext,
  guest: Guest,
  planned: readonly ContainerPlan[],
  asked: CreatePod['containers'],
): Promise<CreatedContainers> {
  const records: SandboxContainer[] = [];
  const stdio = new Map<string, ContainerStdio>();
  for (const [place, container] of planned.entries()) {
    context.checkWanted();
    const { id, bundle, stdioId } = container;
    const { stdin = '', stdout = '', stderr = '' } = asked[place] ?? {};
    const record = { id, bundle, stdioId, stdin, stdout, stderr, isStartAsked: false };
    stdio.set(id, await createContainer(context, guest, container, record));
    records.push(record);
  }
  return { records, stdio };
}

async function createContainer(
  context: PodContext,
  { agent, mux }: Guest,
  { id, stdioId, spec, rootfs, binds, devices }: ContainerPlan,
  record: SandboxContainer,
): Promise<ContainerStdio> {
  const stdio = coupleStdio(mux, stdioId, openStreams(context, record), context.log);
  context.undo.defer(`stdio of ${id}`, () => stdio.close());
  const specification = new TextEncoder().encode(JSON.stringify(spec));
  try {
    await agent.call('createContainer', { containerId: id, spec: specification, rootfs, stdioId, binds, devices });
  } catch (error) {
    throw faultIn(`container ${id}`, error, { containerId: id });
  }
  failpoint('container.created');
  stdio.beginInput();
  return stdio;
}
