import { access, copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { Fault } from '../../proto/fault.ts';
import { type Constants, RELEASE } from './constants.ts';
import { contentHash } from './content-hash.ts';
import { ENGINE_FILE } from './engine.ts';
import { ensureNativeHost, type NativeHost } from './native-host.ts';
import { placeFile } from './place-file.ts';
import { runInToolchain } from './toolchain.ts';

/** Twice, here and there: what differs between two processes must not be in that of all. */
const MAKE_IMAGE = [
  'env -i TZ=HERE-1 ./program >image',
  'env -i TZ=THERE+2 OF=another ./program "$1" | cmp - image ||',
  "  { echo 'two heap images of the program differ' >&2; exit 1; }",
  'objcopy --update-section .image=image program',
];

/** Below the root of the repository, where all commands and tests run. */
const APP_ASSEMBLY = 'runtime/engine/app.S';

export interface NativeProgram {
  /** TypeScript file whose first import is runtime/system/native/polyfill.ts. */
  readonly entry: string;
  /** The binary; its source map goes beside it, as `<output>.map`. */
  readonly output: string;
  readonly constants?: Constants;
}

export interface NativeBinary {
  /** Part of the file name in every stack trace, and `debugId` of the source map that reads it. */
  readonly buildId: string;
}

interface Bundle {
  readonly code: string;
  readonly map: string;
}

/**
 * Bundles a TypeScript program, compiles it to bytecode and links it with engine and native host into one static
 * binary. The output appears whole or not at all; several builds may run at once. An output that was built from the
 * same bundle and host is left as it is. The host is the product's unless another is given.
 */
export async function buildNative(
  program: NativeProgram,
  toolchain: string,
  given?: NativeHost,
): Promise<NativeBinary> {
  const [host, bundle] = await Promise.all([given ?? ensureNativeHost(toolchain), bundleProgram(program)]);
  const script = linkScript(host);
  const assembly = await readFile(APP_ASSEMBLY, 'utf8');
  const parts = (await readdir(host.directory)).sort().map((name) => join(host.directory, name));
  // Not where they are: the same sources give the same binary, whatever BERTH_CACHE_DIR says.
  const contents = await Promise.all(parts.map((path) => readFile(path)));
  const buildId = contentHash([bundle.code, basename(toolchain), script, assembly, ...contents]).slice(0, 12);
  if ((await readBuildId(program.output)) === buildId) return { buildId };
  const fileName = `${basename(program.output)}-${buildId}.js`;
  const directory = await mkdtemp(join(tmpdir(), 'berth-native-'));
  try {
    await writeFile(join(directory, 'app.js'), bundle.code);
    await writeFile(join(directory, 'app.S'), assembly);
    for (const path of parts) await copyFile(path, join(directory, basename(path)));
    await runInToolchain(toolchain, directory, ['sh', '-ec', script, 'sh', fileName]);
    await placeFile(program.output, 0o755, (path) => copyFile(join(directory, 'program'), path));
    const map = JSON.stringify({ ...JSON.parse(bundle.map), file: fileName, debugId: buildId });
    await placeFile(`${program.output}.map`, 0o644, (path) => writeFile(path, map));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return { buildId };
}

/** Of a finished output: its source map is placed last. */
async function readBuildId(output: string): Promise<unknown> {
  try {
    await access(output);
    return JSON.parse(await readFile(`${output}.map`, 'utf8')).debugId;
  } catch {
    return undefined;
  }
}

async function bundleProgram(program: NativeProgram): Promise<Bundle> {
  const result = await build({
    entryPoints: [program.entry],
    outfile: 'program.js',
    write: false,
    bundle: true,
    platform: 'neutral',
    mainFields: ['module', 'main'],
    // A module: in a function around the whole program, the engine seeks each of its variables in a list of all.
    format: 'esm',
    target: 'es2023',
    charset: 'utf8',
    legalComments: 'none',
    sourcemap: 'external',
    define: { ...RELEASE, ...program.constants },
    // Calls of functions that a constant has emptied vanish.
    minifySyntax: true,
    logLevel: 'silent',
  }).catch((error: unknown) => {
    throw new Fault('exec', `${program.entry} does not bundle`, { cause: error });
  });
  const text = (suffix: string) => result.outputFiles.find((file) => file.path.endsWith(suffix))?.text ?? '';
  return { code: text('.js'), map: text('.map') };
}

/** Makes `program` of app.js, whose name in stack traces is its argument, app.S and the host's files, all beside it. */
function linkScript({ linker, hasImages }: NativeHost): string {
  // -u: main comes out of the archive, with all that it refers to.
  const link = `${linker.join(' ')} -o program app.S -u main host.a ${ENGINE_FILE} -lm`;
  return ['./compile app.js "$1" app.bytecode', link, ...(hasImages ? MAKE_IMAGE : [])].join('\n');
}
