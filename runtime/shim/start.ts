import { Fault } from '../../proto/fault.ts';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { spawnChild } from '../system/native/process.ts';
import { sys } from '../system/native/sys.ts';
import type { ShimFlags } from './flags.ts';
import { READY } from './serve.ts';
import { readToEnd } from './standard-streams.ts';

const NAME = 'containerd-shim-berth-v2';

/**
 * Leaves the pod's process behind, a session of its own; answers its address when it listens. What keeps it from that
 * comes through its standard output, and is thrown here.
 */
export async function start({ id, bundle, runDirectory, debug }: ShimFlags): Promise<string> {
  const socket = podPaths(runPaths(runDirectory), id).shimSocket;
  const [word, itsStdout] = sys.pipe();
  const flags = ['-id', id, '-bundle', bundle || sys.readlink('/proc/self/cwd'), '-run-dir', runDirectory];
  spawnChild({
    file: '/proc/self/exe',
    argv: [NAME, ...flags, ...(debug ? ['-debug'] : []), 'serve'],
    fds: [-1, itsStdout, itsStdout],
    setsid: true,
    cwd: '/',
  });
  sys.close(itsStdout);
  const said = new TextDecoder().decode(await readToEnd(word, 'the pod process'));
  if (said.endsWith(READY)) return `unix://${socket}`;
  throw new Fault('exec', said.trim() === '' ? `the process of pod ${id} ended before it listened` : said.trim());
}
