// Runs a TypeScript script on Node 20, which cannot read TypeScript: `node run-ts.mjs FILE ARGS...`. The file exports
// `main(args)`; the number it returns is the exit status. Packages stay outside the bundle.
import { mkdir, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const repository = resolve(import.meta.dirname, '../..');

async function runTypeScript(file, args) {
  const { build } = await import('esbuild');
  const directory = join(repository, 'node_modules/.cache/berth');
  // A file of this process alone: a second command may be bundling the same script.
  const outfile = join(directory, `${basename(file, '.ts')}-${process.pid}.mjs`);
  await mkdir(directory, { recursive: true });
  await build({
    entryPoints: [resolve(file)],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: 'inline',
    logLevel: 'error',
  });
  const script = await import(pathToFileURL(outfile).href).finally(() => rm(outfile));
  return script.main(args);
}

/** Calls and exits: a Fault is a sentence for the person who called, anything else a defect with its stack. */
export async function runAndExit(file, args) {
  process.chdir(repository);
  process.setSourceMapsEnabled(true);
  try {
    process.exitCode = await runTypeScript(file, args);
  } catch (error) {
    process.stderr.write(`${error?.name === 'Fault' ? chainOf(error) : (error?.stack ?? error)}\n`);
    process.exitCode = 1;
  }
}

function chainOf(error) {
  const messages = [];
  for (let each = error; each instanceof Error; each = each.cause) messages.push(each.message);
  return messages.join('\n  because: ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2);
  if (file === undefined) {
    process.stderr.write('usage: node deploy/setup/run-ts.mjs FILE [ARGUMENT...]\n');
    process.exitCode = 2;
  } else {
    await runAndExit(file, args);
  }
}
