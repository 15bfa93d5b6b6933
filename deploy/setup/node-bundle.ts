import { writeFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { type Constants, RELEASE } from './constants.ts';
import { placeFile } from './place-file.ts';

/** Packages that are CommonJS call `require` for Node's own modules, which an ES module does not have. */
const BANNER = `#!/usr/bin/env node
import { createRequire as berthCreateRequire } from 'node:module';
const require = berthCreateRequire(import.meta.url);`;

/** Bundles a program for Node 20 with all its packages into one executable file, with its source map beside it. */
export async function bundleNodeProgram(entry: string, output: string, constants: Constants = {}): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    outfile: output,
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    mainFields: ['module', 'main'],
    define: { ...RELEASE, ...constants },
    // Calls of functions that a constant has emptied vanish.
    minifySyntax: true,
    sourcemap: 'linked',
    legalComments: 'none',
    banner: { js: BANNER },
    logLevel: 'error',
  });
  for (const { path, contents } of outputFiles) {
    await placeFile(path, path.endsWith('.map') ? 0o644 : 0o755, (temporary) => writeFile(temporary, contents));
  }
}
