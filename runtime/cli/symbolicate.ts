import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Fault } from '../../proto/fault.ts';
import { type Command, onePositional, parseFlags } from './command.ts';
import { listBuildIds, parseSourceMap, symbolicate } from './symbolicate-trace.ts';

export const symbolicateCommand: Command = {
  name: 'symbolicate',
  summary: 'turn the stack trace of a static program into lines of its source',
  help: `berth symbolicate: where in the source a stack trace is

Usage: berth symbolicate MAP < TRACE

The static programs (shim, CNI plugin, agent) name places in what they were built to, "berth-0a1b2c3d4e5f.js:7:9". MAP
is the source map of that very build, or a directory to look for it in; the twelve digits are the build's id, and a map
of another build is refused. What is no place in a program passes through as it is.

Example: berth logs run-1f8a02bc --shim | berth symbolicate dist
`,
  flags: {},
  prepare(args) {
    const { positionals } = parseFlags(args, { allowPositionals: true, options: {} });
    const place = onePositional(positionals, 'MAP');
    return async () => {
      const trace = await text(process.stdin);
      const wanted = listBuildIds(trace);
      const maps = await Promise.all((await findMaps(place)).map(readMap));
      const fitting = maps.filter(({ buildId }) => wanted.includes(buildId));
      const unknown = wanted.filter((id) => !fitting.some(({ buildId }) => buildId === id));
      if (unknown.length > 0) {
        const known = maps.map(({ buildId }) => buildId).join(', ') || 'no build';
        throw new Fault('not-found', `the trace is of build ${unknown.join(', ')}; ${place} has the map of ${known}`);
      }
      process.stdout.write(symbolicate(trace, fitting));
      return 0;
    };
  },
};

const readMap = async (path: string) => parseSourceMap(await readFile(path, 'utf8'), path);

/** `place` itself, or the maps of static programs below it. */
async function findMaps(place: string): Promise<string[]> {
  const found = await stat(place).catch((cause: unknown) => {
    throw new Fault('not-found', `there is no ${place}`, { cause });
  });
  if (!found.isDirectory()) return [place];
  const names = await readdir(place, { recursive: true });
  // Those of Node's programs are Node's to read.
  return names.filter((name) => /(?<!\.js)\.map$/.test(name)).map((name) => join(place, name));
}
