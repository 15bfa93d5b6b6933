import { readdir } from 'node:fs/promises';
import { Fault } from '../../proto/fault.ts';
import type { Peer, Suite } from './suite.ts';

/** Below the root of the repository, where all commands run. */
const SUITES = 'bench/suites';
const PEERS = 'bench/peers';

/** A suite is a file of its own: one more file is one more suite. */
export async function findSuites(): Promise<readonly Suite[]> {
  const names = await moduleNames(SUITES);
  // The bundler finds the files by this pattern.
  const modules = names.map((name) => import(`../suites/${name}.ts`) as Promise<{ suite?: Suite }>);
  return (await Promise.all(modules)).map(({ suite }, index) => suite ?? missing(SUITES, names[index], 'suite'));
}

export async function findPeers(): Promise<readonly Peer[]> {
  const names = await moduleNames(PEERS);
  const modules = names.map((name) => import(`../peers/${name}.ts`) as Promise<{ peer?: Peer }>);
  return (await Promise.all(modules)).map(({ peer }, index) => peer ?? missing(PEERS, names[index], 'peer'));
}

async function moduleNames(directory: string): Promise<readonly string[]> {
  const files = (await readdir(directory)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  return files.map((name) => name.slice(0, -'.ts'.length)).sort();
}

function missing(directory: string, name: string | undefined, what: string): never {
  throw new Fault('internal', `${directory}/${name}.ts exports no ${what}`);
}
