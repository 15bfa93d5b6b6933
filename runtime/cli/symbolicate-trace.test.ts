import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { listBuildIds, parseSourceMap, symbolicate } from './symbolicate-trace.ts';

const BUILD = '0a1b2c3d4e5f';
const SOURCE = `// a line that the bundle has not\nexport function fails(): never {\n  throw new Error('here');\n}\nfails();\n`;

/** A bundle as the static programs have it, and the place of its \`throw\` in it, as a stack trace names it. */
async function bundle() {
  const { outputFiles } = await build({
    stdin: { contents: SOURCE, sourcefile: 'runtime/shim/fails.ts', loader: 'ts' },
    bundle: true,
    write: false,
    outfile: 'program.js',
    sourcemap: 'external',
    format: 'iife',
  });
  const text = (suffix: string) => outputFiles.find(({ path }) => path.endsWith(suffix))?.text ?? '';
  const lines = text('.js').split('\n');
  const line = lines.findIndex((one) => one.includes('throw '));
  const column = lines[line]?.indexOf('throw ') ?? 0;
  const map = JSON.stringify({ ...JSON.parse(text('.map')), debugId: BUILD });
  return { map, place: `shim-${BUILD}.js:${line + 1}:${column + 1}` };
}

describe('symbolicate', () => {
  it('names the line and column of the source, and leaves all else as it is', async () => {
    const { map, place } = await bundle();
    const trace = `Uncaught Error: here\n    at fails (${place})\n    at native\n    at x (shim-ffffffffffff.js:1:1)\n`;
    expect(listBuildIds(trace)).toEqual([BUILD, 'ffffffffffff']);
    const [before, at, ...after] = symbolicate(trace, [parseSourceMap(map, 'shim.map')]).split('\n');
    expect([before, at]).toEqual(['Uncaught Error: here', '    at fails (runtime/shim/fails.ts:3:3)']);
    expect(after.join('\n')).toBe('    at native\n    at x (shim-ffffffffffff.js:1:1)\n');
  });

  it.each([
    ['no JSON', '{', 'is no source map'],
    ['the map of another kind of program', '{"version": 3, "sources": [], "names": [], "mappings": ""}', 'debugId'],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseSourceMap(text, 'x.map')).toThrow(message);
  });
});
