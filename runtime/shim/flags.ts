import { Fault } from '../../proto/fault.ts';
import { parseSandboxId, type SandboxId } from '../../proto/ids.ts';
import { DEFAULT_RUN_DIRECTORY } from '../../proto/paths.ts';

/** What containerd passes to a shim (runtime v2), and where berth keeps its records. */
export interface ShimFlags {
  readonly id: SandboxId;
  /** Empty: the current directory, which containerd makes the bundle. */
  readonly bundle: string;
  readonly runDirectory: string;
  readonly debug: boolean;
}

/** What a pod would find on this host: see proto/host-probe.ts. */
export interface ProbeFlags {
  /** Undefined: the first of the PATH. */
  readonly qemu: string | undefined;
  /** Undefined: no guest is booted to see what `auto` comes to. */
  readonly guestDirectory: string | undefined;
  readonly runDirectory: string;
}

export type Invocation =
  | { readonly verb: 'start' | 'serve'; readonly flags: ShimFlags }
  | { readonly verb: 'probe'; readonly flags: ProbeFlags }
  | { readonly verb: 'jail'; readonly request: string; readonly args: readonly string[] }
  | { readonly verb: 'write-durable'; readonly path: string; readonly mode: number }
  | { readonly verb: 'version' };

/** Flags with a value. containerd's addresses are for services that berth does not call. */
const VALUED = ['id', 'namespace', 'address', 'publish-binary', 'bundle', 'run-dir', 'qemu', 'guest'];
const SWITCHES = ['debug', 'v', 'version'];

/** `args` without the program's name, in the style of Go's flag package: one dash or two, before the verb. */
export function parseInvocation(args: readonly string[]): Invocation {
  const { values, switches, rest } = splitFlags(args);
  const [verb, ...operands] = rest;
  if (switches.has('v') || switches.has('version') || verb === 'version') return { verb: 'version' };
  if (verb === 'jail') return parseJail(operands);
  if (verb === 'write-durable') return parseWriteDurable(operands);
  if (verb !== 'start' && verb !== 'serve' && verb !== 'probe') {
    const message = `the verb is ${JSON.stringify(verb ?? '')}, but must be one of start, serve, probe, version`;
    throw new Fault('invalid', message);
  }
  if (operands.length > 0) throw new Fault('invalid', `${verb} takes no ${JSON.stringify(operands[0])}`);
  if (verb === 'probe') return { verb, flags: parseProbeFlags(values) };
  const bundle = values.get('bundle') ?? '';
  return {
    verb,
    flags: {
      id: parseSandboxId(values.get('id') ?? '', '-id'),
      bundle: bundle === '' ? '' : absolute('-bundle', bundle),
      runDirectory: absolute('-run-dir', values.get('run-dir') ?? DEFAULT_RUN_DIRECTORY),
      debug: switches.has('debug'),
    },
  };
}

function parseProbeFlags(values: ReadonlyMap<string, string>): ProbeFlags {
  const guest = values.get('guest');
  return {
    qemu: values.get('qemu'),
    guestDirectory: guest === undefined ? undefined : absolute('-guest', guest),
    runDirectory: absolute('-run-dir', values.get('run-dir') ?? DEFAULT_RUN_DIRECTORY),
  };
}

function splitFlags(args: readonly string[]) {
  const values = new Map<string, string>();
  const switches = new Set<string>();
  let index = 0;
  for (; index < args.length; index += 1) {
    const match = /^--?([a-z-]+)(?:=(.*))?$/s.exec(args[index] ?? '');
    if (match === null) break;
    const [, name = '', given] = match;
    if (SWITCHES.includes(name)) {
      if (given !== 'false') switches.add(name);
    } else if (VALUED.includes(name)) {
      if (given === undefined) index += 1;
      const value = given ?? args[index];
      if (value === undefined) throw new Fault('invalid', `-${name} needs a value`);
      values.set(name, value);
    } else {
      throw new Fault('invalid', `there is no flag -${name}`);
    }
  }
  return { values, switches, rest: args.slice(index) };
}

function parseJail([request, ...args]: readonly string[]): Invocation {
  if (request === undefined) throw new Fault('invalid', "jail needs a request, and the VMM's arguments after it");
  return { verb: 'jail', request, args };
}

function parseWriteDurable([path, mode, ...others]: readonly string[]): Invocation {
  if (path === undefined || mode === undefined || !/^[0-7]{1,4}$/.test(mode) || others.length > 0) {
    throw new Fault('invalid', 'write-durable needs a path and an octal mode, and the content on standard input');
  }
  return { verb: 'write-durable', path: absolute('the path', path), mode: Number.parseInt(mode, 8) };
}

function absolute(what: string, path: string): string {
  if (path.startsWith('/')) return path;
  throw new Fault('invalid', `${what} is ${JSON.stringify(path)}, but must be an absolute path`);
}
