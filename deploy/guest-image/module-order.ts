import { Fault } from '../../proto/fault.ts';

/** What depmod wrote for one kernel version. */
export interface ModuleIndex {
  /** modules.dep: `path: path...`, transitive, the one to load first is last. */
  readonly dep: string;
  /** modules.softdep: `softdep name pre: alias... post: alias...`. */
  readonly softdep: string;
  /** modules.alias: `alias pattern name`. */
  readonly alias: string;
  /** modules.builtin: paths of what the kernel itself contains. */
  readonly builtin: string;
}

/** The module's name in the kernel: file name without `.ko`, with underscores. */
export const moduleName = (path: string): string =>
  path
    .slice(path.lastIndexOf('/') + 1)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');

/**
 * Paths (as in modules.dep) of `wanted` and of all they need, each after what it needs, soft dependencies included:
 * loading them in this order with finit_module never meets an unknown symbol. What is built in is left out.
 */
export function planModuleOrder(index: ModuleIndex, wanted: readonly string[]): string[] {
  const modules = parseDependencies(index.dep);
  const builtin = new Set(lines(index.builtin).map(moduleName));
  const soft = parseSoftDependencies(index.softdep);
  const aliases = parseAliases(index.alias);
  const order: string[] = [];
  const seen = new Set<string>();

  const visit = (name: string, wantedBy: string): void => {
    if (builtin.has(name) || seen.has(name)) return;
    seen.add(name);
    const module = modules.get(name);
    if (module === undefined) throw new Fault('not-found', `kernel module ${name}, needed by ${wantedBy}, is missing`);
    for (const need of module.needs) visit(need, name);
    for (const alias of soft.get(name) ?? []) {
      const provider = chooseProvider(alias, modules, aliases);
      if (provider !== undefined) visit(provider, name);
    }
    order.push(module.path);
  };
  for (const name of wanted) visit(name.replaceAll('-', '_'), 'the guest image');
  return order;
}

interface Module {
  readonly path: string;
  /** Names, the one to load first is first. */
  readonly needs: readonly string[];
}

function parseDependencies(text: string): Map<string, Module> {
  const modules = new Map<string, Module>();
  for (const line of lines(text)) {
    const colon = line.indexOf(':');
    const path = line.slice(0, colon);
    const needs = line
      .slice(colon + 1)
      .split(' ')
      .filter(Boolean)
      .map(moduleName)
      .reverse();
    modules.set(moduleName(path), { path, needs });
  }
  return modules;
}

function parseSoftDependencies(text: string): Map<string, string[]> {
  const soft = new Map<string, string[]>();
  for (const line of lines(text)) {
    const [keyword, name, ...words] = line.split(' ');
    if (keyword !== 'softdep' || name === undefined) continue;
    const start = words.indexOf('pre:') + 1;
    if (start === 0) continue;
    const end = words.indexOf('post:');
    soft.set(name, [...(soft.get(name) ?? []), ...words.slice(start, end < start ? undefined : end)]);
  }
  return soft;
}

function parseAliases(text: string): Map<string, Set<string>> {
  const aliases = new Map<string, Set<string>>();
  for (const line of lines(text)) {
    const [keyword, pattern, name] = line.split(' ');
    if (keyword !== 'alias' || pattern === undefined || name === undefined) continue;
    aliases.set(pattern, (aliases.get(pattern) ?? new Set()).add(name));
  }
  return aliases;
}

/**
 * A soft dependency names a module or an alias that several serve (`crc32c`: crc32c_intel, crc32c_generic). The one
 * bound to a CPU feature does not load everywhere; the others do. Undefined: nothing serves it, and it is optional.
 */
function chooseProvider(
  alias: string,
  modules: ReadonlyMap<string, Module>,
  aliases: ReadonlyMap<string, ReadonlySet<string>>,
): string | undefined {
  const name = alias.replaceAll('-', '_');
  if (modules.has(name)) return name;
  const bound = new Set(
    [...aliases].filter(([pattern]) => pattern.startsWith('cpu:')).flatMap(([, names]) => [...names]),
  );
  return [...(aliases.get(alias) ?? [])].sort().find((each) => !bound.has(each));
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
