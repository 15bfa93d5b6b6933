import { execa } from 'execa';
import { Fault } from '../../proto/fault.ts';
import { type CsiClient, createCsiClient } from './csi-client.ts';

export interface CsiServer {
  readonly client: CsiClient;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
}

export interface CsiServerOptions {
  /** The whole command up to the driver's own flags. */
  readonly command: readonly string[];
  /** Where the driver listens, as it sees the path. */
  readonly socket: string;
  /** The same socket as this process sees it, if that differs. */
  readonly clientSocket?: string;
  readonly stateDirectory: string;
  readonly pool: { readonly name: string; readonly directory: string };
  readonly protoPath: string;
  /** Sends SIGTERM to the driver; `pid` is the command's. */
  readonly terminate?: (pid: number) => Promise<void>;
}

/** Starts `berth-csi` and answers when it is ready. */
export async function startCsiServer(options: CsiServerOptions): Promise<CsiServer> {
  const { command, socket, clientSocket = socket, stateDirectory, pool, protoPath } = options;
  const [file = '', ...args] = [
    ...command,
    ...['--endpoint', `unix://${socket}`, '--node-id', 'demo-node', '--state-dir', stateDirectory],
    ...['--pool', `${pool.name}=image-file:${pool.directory}`],
  ];
  const child = execa(file, args, { reject: false, stdin: 'ignore', all: true });
  const client = createCsiClient(clientSocket, protoPath);
  const ended = child.then((result) => {
    throw new Fault('exec', 'berth-csi ended before it was told to', { fields: { output: result.all ?? '' } });
  });
  try {
    await Promise.race([client.call('Identity', 'Probe', {}), ended]);
  } catch (error) {
    client.close();
    child.kill('SIGKILL');
    throw error;
  }
  ended.catch(() => {});
  return {
    client,
    async stop() {
      client.close();
      if (options.terminate === undefined) child.kill('SIGTERM');
      else await options.terminate(child.pid ?? 0);
      await child;
    },
  };
}
