import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Fault } from '../../proto/fault.ts';
import type { Log } from '../../runtime/system/log.ts';
import { ensureNoStaleSocket } from '../../runtime/system/node/unix-socket.ts';
import { EXPOSITION_TYPE, formatMetrics, type MetricFamily } from './exposition.ts';

export type MetricsAddress = { readonly path: string } | { readonly host: string; readonly port: number };

export interface MetricsServer {
  close(): Promise<void>;
}

/** Serves `GET /metrics`; `collect` is called for each, one at a time. */
export async function startMetricsServer(
  address: MetricsAddress,
  collect: () => Promise<readonly MetricFamily[]>,
  log: Log,
): Promise<MetricsServer> {
  let last: Promise<unknown> = Promise.resolve();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end('there is /metrics\n');
      return;
    }
    const collected = last.then(collect);
    last = collected.catch(() => undefined);
    const text = formatMetrics(await collected);
    response.writeHead(200, { 'content-type': EXPOSITION_TYPE }).end(text);
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      log.error('metrics failed', { error });
      response.writeHead(500).end('the log of berth-csi says why\n');
    });
  });
  const words = 'path' in address ? address.path : `${address.host}:${address.port}`;
  try {
    if ('path' in address) await ensureNoStaleSocket(address.path);
    server.listen(address);
    await once(server, 'listening');
    if ('path' in address) await chmod(address.path, 0o600);
  } catch (cause) {
    server.close();
    throw new Fault('io', `could not serve metrics on ${words}`, { fields: { address: words }, cause });
  }
  return {
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
