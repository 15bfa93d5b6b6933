import type { Log } from '../system/log.ts';
import { type Connection, type Service, serve } from '../system/rpc/ttrpc-server.ts';
import { sleep } from './await-found.ts';
import type { HostPort } from './host-port.ts';

/** For replies that are still on their way when the guest is done. */
const REPLIES_WITHIN_MS = 1000;
/** The kernel has the reply; the VMM must take it out of the queue before the power goes. */
const QUEUE_WITHIN_MS = 30;

/** Answers the host's calls, one conversation after another; after `end`, resolves once the last replies are sent. */
export async function serveHost(port: HostPort, service: Service, log: Log, end: Promise<void>): Promise<void> {
  let connection: Connection | undefined;
  const converse = async (): Promise<never> => {
    for (;;) {
      connection = serve(await port.accept(), service, log);
      await connection.ended;
      log.info('host left');
    }
  };
  await Promise.race([converse(), end]);
  await Promise.race([connection?.drained(), sleep(REPLIES_WITHIN_MS)]);
  await sleep(QUEUE_WITHIN_MS);
}
