import type { CsiClient } from '../../deploy/demo/csi-client.ts';
import { findPrograms } from './programs.ts';

/** It listens on this machine, if it does. */
const CONNECT_MS = 1000;

/** `body` with a client of the berth-csi that listens on the socket. Fault `environment` soon if none does. */
export async function withDriver<T>(socket: string, body: (driver: CsiClient) => Promise<T>): Promise<T> {
  // Loaded on demand: the gRPC client would slow every other command down.
  const { createCsiClient } = await import('../../deploy/demo/csi-client.ts');
  const driver = createCsiClient(socket, findPrograms().csiProto);
  try {
    await driver.waitUntilConnected(CONNECT_MS);
    return await body(driver);
  } finally {
    driver.close();
  }
}
