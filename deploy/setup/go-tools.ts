import { copyFile, cp, mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { describeError, Fault } from '../../proto/fault.ts';
import { ensureCached } from './cache.ts';
import { ensureGo } from './go-toolchain.ts';
import { report } from './progress.ts';

/** A program for tests, compiled from a published Go module. */
interface GoTool {
  readonly title: string;
  readonly module: string;
  readonly version: string;
  /** Of the module, as go.sum has it; the module's own go.sum pins all that it needs. */
  readonly sum: string;
  /** The main package, below the module's root. */
  readonly program: string;
  /** Files of ours that are compiled inside the module: path there -> path here. */
  readonly files?: Readonly<Record<string, string>>;
}

const GO_TOOLS = {
  'csi-sanity': {
    title: 'csi-sanity, for the tests',
    module: 'github.com/kubernetes-csi/csi-test/v5',
    version: 'v5.6.0',
    sum: 'h1:fQgB/CRoqTEAtlHwfD0Y785LjQJ/OxNGUE7AHw68VLg=',
    program: './cmd/csi-sanity',
  },
  'csi-descriptor': {
    title: "CSI's published descriptor, for the tests",
    module: 'github.com/container-storage-interface/spec',
    version: 'v1.12.0',
    sum: 'h1:zrFOEqpR5AghNaaDG4qyedwPBqU2fU0dWjLQMP/azK0=',
    program: './descriptor',
    files: { 'descriptor/main.go': 'deploy/setup/csi-descriptor.go' },
  },
} as const satisfies Readonly<Record<string, GoTool>>;

export type GoToolName = keyof typeof GO_TOOLS;

/** `-buildvcs`: there is no repository around. The tools must not ask for another Go, nor see a workspace of the user's. */
const ENVIRONMENT = {
  CGO_ENABLED: '0',
  GOFLAGS: '-buildvcs=false',
  GOTOOLCHAIN: 'local',
  GOWORK: 'off',
  // The sums above and the modules' go.sum files say more than the public database of sums does.
  GOSUMDB: 'off',
};

/** All of them that can be had, and a line for each that cannot: the tests that need it are skipped then. */
export async function ensureGoTools(): Promise<void> {
  for (const name of Object.keys(GO_TOOLS) as GoToolName[]) {
    const tool = await ensureGoTool(name);
    if ('missing' in tool) report(`setup: no ${name}, so that tests which need it are skipped: ${tool.missing}`);
  }
}

/** The path of a tool's program, or the sentence why it cannot be had: neither Go, nor a proxy that has the module. */
export async function ensureGoTool(
  name: GoToolName,
): Promise<{ readonly program: string } | { readonly missing: string }> {
  const tool: GoTool = GO_TOOLS[name];
  const ours = await Promise.all(Object.values(tool.files ?? {}).map((path) => readFile(path)));
  try {
    const go = await ensureGo();
    const directory = await ensureCached({
      name,
      title: tool.title,
      inputs: [JSON.stringify(tool), JSON.stringify(ENVIRONMENT), ...ours],
      fill: (partial) => compile(go, tool, join(partial, name)),
    });
    return { program: join(directory, name) };
  } catch (error) {
    if (error instanceof Fault && error.code === 'environment') return { missing: describeError(error) };
    throw error;
  }
}

async function compile(go: string, tool: GoTool, output: string): Promise<void> {
  const source = join(dirname(output), 'source');
  await mkdir(source);
  // Its own copy: the module cache is read-only, and a module in it cannot be the main one.
  await cp(await downloadModule(go, tool, source), source, { recursive: true });
  for (const [there, here] of Object.entries(tool.files ?? {})) {
    await mkdir(dirname(join(source, there)));
    await copyFile(here, join(source, there));
  }
  const built = await runGo(go, ['build', '-ldflags', '-s -w', '-o', output, tool.program], source);
  if (built.failed) {
    throw new Fault('exec', `${tool.module}@${tool.version} could not be compiled`, { cause: new Error(built.output) });
  }
  await rm(source, { recursive: true });
}

/** Into Go's own cache; answers the module's directory there. */
async function downloadModule(go: string, { module, version, sum }: GoTool, cwd: string): Promise<string> {
  const { stdout, output } = await runGo(go, ['mod', 'download', '-json', `${module}@${version}`], cwd);
  // It says in JSON too what failed.
  const { Sum: found, Dir: directory, Error: reason = output } = parseDownload(stdout);
  if (directory === undefined) {
    throw new Fault('environment', `${module}@${version} could not be downloaded; GOPROXY says from where`, {
      cause: new Error(reason),
    });
  }
  if (found === sum) return directory;
  throw new Fault('malformed', `${module}@${version} has the sum ${found} in place of ${sum}; another GOPROXY may do`);
}

function parseDownload(stdout: string): { Sum?: string; Dir?: string; Error?: string } {
  return stdout.trim() === '' ? {} : JSON.parse(stdout);
}

/** `output`: the end of all that it said, for a person. */
async function runGo(
  go: string,
  args: readonly string[],
  cwd: string,
): Promise<{ failed: boolean; stdout: string; output: string }> {
  const result = await execa(go, args, { reject: false, all: true, stdin: 'ignore', cwd, env: ENVIRONMENT });
  const output = (result.all ?? '').trim().split('\n').slice(-15).join('\n') || (result.shortMessage ?? '');
  return { failed: result.failed, stdout: result.stdout, output };
}
