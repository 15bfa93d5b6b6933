import { CONTROL_PORT, STDIO_PORT } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import type { PodPaths } from '../../proto/paths.ts';
import type { SandboxContainer } from '../../proto/sandbox-record.ts';
import { type BootDeadline, connectChannel } from '../guest-client/connect.ts';
import type { HostStreams } from '../guest-client/container-stdio.ts';
import { type Agent, createAgent } from '../guest-client/control.ts';
import type { StdioMux } from '../system/channel/stdio-mux.ts';
import type { Log } from '../system/log.ts';
import type { Undo } from '../system/undo.ts';
import type { SandboxHost } from './host.ts';

export interface GuestContext {
  readonly host: SandboxHost;
  readonly paths: PodPaths;
  readonly log: Log;
  /** Takes what is opened here. */
  readonly undo: Undo;
}

/** The control channel. Without a deadline, as long as the VMM lives. */
export async function connectAgent({ host, paths, undo }: GuestContext, deadline?: BootDeadline): Promise<Agent> {
  const port = { name: CONTROL_PORT, socket: paths.controlSocket };
  const agent = createAgent(await connectChannel(host.system, port, deadline));
  undo.defer('control channel', () => agent.close());
  return agent;
}

/** Has `mux` carried over the stdio channel; whoever waits for its streams gets a Fault when the channel ends. */
export async function connectStdio(
  { host, paths, undo, log }: GuestContext,
  mux: StdioMux,
  deadline?: BootDeadline,
): Promise<void> {
  const stream = await connectChannel(host.system, { name: STDIO_PORT, socket: paths.stdioSocket }, deadline);
  undo.defer('stdio channel', () => stream.close());
  mux.attach(stream).then(
    () => mux.close(new Fault('io', 'the guest closed the stdio channel')),
    (error: unknown) => {
      log.error('stdio channel broken', { error });
      mux.close(new Fault('io', 'the stdio channel broke', { cause: error }));
    },
  );
}

/** The host's ends of a container's streams: FIFOs. */
export function openStreams(
  { host, undo }: GuestContext,
  paths: Pick<SandboxContainer, 'stdin' | 'stdout' | 'stderr'>,
): HostStreams {
  const open = (path: string, direction: 'read' | 'write') => {
    if (path === '') return undefined;
    const stream = host.openFifo(path, direction);
    undo.defer(path, () => stream.close());
    return stream;
  };
  return {
    stdin: open(paths.stdin, 'read'),
    stdout: open(paths.stdout, 'write'),
    stderr: open(paths.stderr, 'write'),
  };
}
