import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { Fault } from '../../proto/fault.ts';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { SHIM_SERVICE, type ShimMethods, shimMethods } from '../../proto/shim.ts';
import { createNodeSystem } from '../system/node/system.ts';
import { type Client, createClient } from '../system/rpc/ttrpc-client.ts';

/** Shims that end one after another without clearing up show a fault that another try does not mend. */
const ATTEMPTS = 5;

export type ShimClient = Client<ShimMethods>;

export interface ShimCommand {
  readonly program: string;
  readonly id: string;
  readonly bundle: string;
  readonly runDirectory: string;
}

/** Has a shim started as containerd would: `start` leaves the pod's process behind and prints its socket's address. */
export async function startShim(command: ShimCommand): Promise<ShimClient> {
  const { program, id, bundle, runDirectory } = command;
  const args = ['-namespace', 'berth', '-id', id, '-bundle', bundle, '-run-dir', runDirectory, 'start'];
  const result = await execa(program, args, { reject: false, stdin: 'ignore' });
  if (result.exitCode !== 0) {
    throw new Fault('exec', `the shim of pod ${id} did not start: ${result.stderr || result.message}`);
  }
  return connectShim(result.stdout.trim().replace(/^unix:\/\//, ''));
}

/** Fault `io` with cause.code ENOENT or ECONNREFUSED when no shim listens on the socket. */
async function connectShim(socket: string): Promise<ShimClient> {
  return createClient(await createNodeSystem().connect(socket), SHIM_SERVICE, shimMethods);
}

/** The pod's shim: the one that runs, or else a new one, which adopts or clears what a killed one left. */
export async function openShim(command: ShimCommand): Promise<ShimClient> {
  const running = await connectShim(podPaths(runPaths(command.runDirectory), command.id).shimSocket).catch(
    () => undefined,
  );
  return running ?? startShim(command);
}

/** Whether the connection has ended; a call that fails because of it has failed by then. */
export const isGone = async (shim: ShimClient): Promise<boolean> =>
  (await Promise.race([shim.closed, undefined])) !== undefined;

/** Ends the pod; resolves when its shim is gone too. Forgives one that is gone already. */
export async function stopPod(shim: ShimClient, timeoutMs: number): Promise<void> {
  try {
    await shim.call('stop', { timeoutMs });
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'io') throw error;
  }
  await shim.closed;
}

/**
 * Ends a pod whose shim was killed, at once: a new shim of the same id clears what was left, or adopts it to be stopped.
 * Nothing to do if there is no directory of the pod.
 */
export async function ensureNoDeadPod(command: ShimCommand): Promise<void> {
  const { directory } = podPaths(runPaths(command.runDirectory), command.id);
  for (let attempt = 1; existsSync(directory); attempt += 1) {
    if (attempt > ATTEMPTS) {
      throw new Fault(
        'busy',
        `the pod ${command.id} does not end; ${directory} has what is left, and shim.log says why`,
      );
    }
    // One that has just been killed may have accepted the connection with its last breath: then another is due.
    await stopPod(await openShim(command), 0);
  }
}
