import { copyFile, cp, mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { describeError, Fault } from '../../proto/fault.ts';
import { ensureCached } from './cache.ts';
import { ensureGo } from './go-toolchain.ts';
import { report } from './progress.ts';

/** Programs for tests, compiled together from a published Go module. */
interface GoModule {
  readonly title: string;
  readonly module: string;
  readonly version: string;
  /** Of the module, as go.sum has it; the module's own go.sum pins all that it needs. */
  readonly sum: string;
  /** Main packages, below the module's root. A program is called after the last element. */
  readonly programs: Readonly<Record<string, string>>;
  /** Files of ours that are compiled inside the module: path there -> path here. */
  readonly files?: Readonly<Record<string, string>>;
  /** `files` are a module of their own, which needs the published one and pins the rest. */
  readonly wrapper?: true;
}

const GO_MODULES = {
  'csi-test': {
    title: 'csi-sanity, for the tests',
    module: 'github.com/kubernetes-csi/csi-test/v5',
    version: 'v5.6.0',
    sum: 'h1:fQgB/CRoqTEAtlHwfD0Y785LjQJ/OxNGUE7AHw68VLg=',
    programs: { 'csi-sanity': './cmd/csi-sanity' },
  },
  'csi-spec': {
    title: "CSI's published descriptor, for the tests",
    module: 'github.com/container-storage-interface/spec',
    version: 'v1.12.0',
    sum: 'h1:zrFOEqpR5AghNaaDG4qyedwPBqU2fU0dWjLQMP/azK0=',
    programs: { 'csi-descriptor': './csi-descriptor' },
    files: { 'csi-descriptor/main.go': 'deploy/setup/csi-descriptor.go' },
  },
  cni: {
    title: "CNI's tool and types, for the tests",
    module: 'github.com/containernetworking/cni',
    version: 'v1.3.1',
    sum: 'h1:gnHlU/YC1bJcS+CSh+pYQKeuu4O4gsMGW1NMaLhkzW4=',
    programs: { cnitool: './cnitool', 'cni-convert': './cni-convert' },
    files: { 'cni-convert/main.go': 'deploy/setup/cni-convert.go' },
  },
  'cni-plugins': {
    title: "CNI's reference plugins, for the tests",
    module: 'github.com/containernetworking/plugins',
    version: 'v1.9.1',
    sum: 'h1:8oU6WsIsU3bpnNZuvHp74a6cE1MJwbj2P7s4/yTUNlA=',
    programs: {
      bandwidth: './plugins/meta/bandwidth',
      bridge: './plugins/main/bridge',
      firewall: './plugins/meta/firewall',
      'host-device': './plugins/main/host-device',
      'host-local': './plugins/ipam/host-local',
      ipvlan: './plugins/main/ipvlan',
      loopback: './plugins/main/loopback',
      macvlan: './plugins/main/macvlan',
      portmap: './plugins/meta/portmap',
      ptp: './plugins/main/ptp',
      sbr: './plugins/meta/sbr',
      static: './plugins/ipam/static',
      tap: './plugins/main/tap',
      tuning: './plugins/meta/tuning',
    },
  },
  vmconf: {
    title: "firecracker-go-sdk's reader of CNI results, for the tests",
    module: 'github.com/firecracker-microvm/firecracker-go-sdk',
    version: 'v1.0.0',
    sum: 'h1:HTnxnX9pvQkQOHjv+TppzUyi2BNFL/7aegSlqIK/usY=',
    programs: { 'vmconf-parse': './vmconf-parse' },
    files: {
      'go.mod': 'deploy/setup/vmconf-parse/go.mod',
      'go.sum': 'deploy/setup/vmconf-parse/go.sum',
      'vmconf-parse/main.go': 'deploy/setup/vmconf-parse/main.go',
    },
    wrapper: true,
  },
} as const satisfies Readonly<Record<string, GoModule>>;

type GoModuleName = keyof typeof GO_MODULES;
/** The programs of one module are in one directory. */
export type GoToolName = { [M in GoModuleName]: keyof (typeof GO_MODULES)[M]['programs'] & string }[GoModuleName];

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
  for (const name of Object.keys(GO_MODULES) as GoModuleName[]) {
    const directory = await ensureModule(name);
    if (!('missing' in directory)) continue;
    const programs = Object.keys(GO_MODULES[name].programs).join(', ');
    report(`setup: no ${programs}, so that tests which need it are skipped: ${directory.missing}`);
  }
}

type Missing = { readonly missing: string };

/** The path of a tool's program, or the sentence why it cannot be had: neither Go, nor a proxy that has the module. */
export async function ensureGoTool(name: GoToolName): Promise<{ readonly program: string } | Missing> {
  const module = (Object.keys(GO_MODULES) as GoModuleName[]).find((each) => name in GO_MODULES[each].programs);
  if (module === undefined) throw new Fault('internal', `no Go module has ${name}`);
  const found = await ensureModule(module);
  return 'missing' in found ? found : { program: join(found.directory, name) };
}

async function ensureModule(name: GoModuleName): Promise<{ readonly directory: string } | Missing> {
  const module: GoModule = GO_MODULES[name];
  const ours = await Promise.all(Object.values(module.files ?? {}).map((path) => readFile(path)));
  try {
    const go = await ensureGo();
    const directory = await ensureCached({
      name,
      title: module.title,
      inputs: [JSON.stringify(module), JSON.stringify(ENVIRONMENT), ...ours],
      fill: (partial) => compile(go, module, partial),
    });
    return { directory };
  } catch (error) {
    if (error instanceof Fault && error.code === 'environment') return { missing: describeError(error) };
    throw error;
  }
}

async function compile(go: string, module: GoModule, output: string): Promise<void> {
  const source = join(output, 'source');
  await mkdir(source);
  const published = await downloadModule(go, module, source);
  // Its own copy: the module cache is read-only, and a module in it cannot be the main one.
  if (module.wrapper === undefined) await cp(published, source, { recursive: true });
  for (const [there, here] of Object.entries(module.files ?? {})) {
    await mkdir(dirname(join(source, there)), { recursive: true });
    await copyFile(here, join(source, there));
  }
  const packages = Object.values(module.programs);
  const built = await runGo(go, ['build', '-ldflags', '-s -w', '-o', `${output}/`, ...packages], source);
  if (built.failed) {
    const message = `${module.module}@${module.version} could not be compiled`;
    throw new Fault('exec', message, { cause: new Error(built.output) });
  }
  await rm(source, { recursive: true });
}

/** Into Go's own cache; answers the module's directory there. */
async function downloadModule(go: string, { module, version, sum }: GoModule, cwd: string): Promise<string> {
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
