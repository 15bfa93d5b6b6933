import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };

const { scripts } = packageJson;
const GATES = ['types:node', 'types:native', 'lint', 'boundaries', 'unused'] as const;
/** A gate that finds nothing because it looks at nothing is green too: each must see what it is there to see. */
type Gate = (typeof GATES)[number];

interface Plant {
  readonly gate: Gate;
  readonly what: string;
  /** By path. */
  readonly files: Readonly<Record<string, string>>;
  /** What the gate has to say, each. */
  readonly named: readonly string[];
}

const PLANTS: readonly Plant[] = [
  {
    gate: 'boundaries',
    what: 'csi importing cni',
    files: { 'csi/plant.ts': "import '../cni/variables.ts';\n" },
    named: ['csi-meets-others-in-proto', 'csi/plant.ts'],
  },
  {
    gate: 'boundaries',
    what: 'the static binary importing a module of Node',
    files: { 'cni/plant.ts': "import 'node:fs';\n" },
    named: ['the-binary-has-no-node', 'cni/plant.ts'],
  },
  {
    gate: 'boundaries',
    what: 'the contracts importing a product',
    files: {
      'proto/plant.ts': "import type { Undo } from '../runtime/system/undo.ts';\nexport type Planted = Undo;\n",
    },
    named: ['proto-stands-alone', 'proto/plant.ts'],
  },
  {
    gate: 'boundaries',
    what: 'an import cycle',
    files: {
      'runtime/plan/plant.ts': "import './plant-back.ts';\n",
      'runtime/plan/plant-back.ts': "import './plant.ts';\n",
    },
    named: ['no-cycles', 'runtime/plan/plant-back.ts'],
  },
  {
    gate: 'unused',
    what: 'an export that nobody imports',
    files: {
      'csi/main.ts': "import './plant.ts';\n",
      'csi/plant.ts': 'export const planted = 1;\n',
    },
    named: ['planted', 'csi/plant.ts'],
  },
  {
    gate: 'unused',
    what: 'a file that nobody imports',
    files: { 'proto/plant.ts': 'export const planted = 1;\n' },
    named: ['proto/plant.ts'],
  },
  {
    gate: 'types:node',
    what: 'a type error',
    files: { 'csi/plant.ts': "export const planted: number = ['text'][0];\n" },
    named: ['csi/plant.ts', 'TS2322'],
  },
  {
    gate: 'types:native',
    what: 'a global of Node in the static binary',
    files: { 'cni/plant.ts': 'export const planted = Buffer.alloc(1);\n' },
    named: ['cni/plant.ts', "'Buffer'"],
  },
  {
    gate: 'lint',
    what: 'a promise that nobody waits for',
    files: { 'csi/plant.ts': 'async function planted(): Promise<void> {}\nplanted();\n' },
    named: ['csi/plant.ts', 'noFloatingPromises'],
  },
  {
    gate: 'lint',
    what: 'a type that is no type',
    files: { 'proto/plant.ts': 'export type Planted = any;\n' },
    named: ['proto/plant.ts', 'noExplicitAny'],
  },
];

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-gates-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** The files of this checkout that git knows, or would with the next `git add`, and the packages that are installed. */
async function copyTree(): Promise<string> {
  const tree = await mkdtemp(join(scratch, 'tree-'));
  const { stdout } = await execa('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard']);
  const { stdout: deleted } = await execa('git', ['ls-files', '-z', '--deleted']);
  const gone = new Set(deleted.split('\0'));
  const files = new Set(stdout.split('\0').filter((file) => file !== '' && !gone.has(file)));
  await Promise.all([...files].map((file) => cp(file, join(tree, file))));
  await symlink(resolve('node_modules'), join(tree, 'node_modules'));
  return tree;
}

async function runGate(gate: Gate, tree: string): Promise<{ failed: boolean; said: string }> {
  const [file = '', ...args] = scripts[gate].split(' ');
  const { failed, all } = await execa(file, args, { cwd: tree, reject: false, all: true, preferLocal: true });
  return { failed, said: all };
}

/** One tree for all that is planted for a gate: it must see everything at once, too. */
const planted = new Map<Gate, ReturnType<typeof runGate>>();
function runGateOnPlants(gate: Gate): ReturnType<typeof runGate> {
  const run = planted.get(gate) ?? plantAndRun(gate);
  planted.set(gate, run);
  return run;
}

async function plantAndRun(gate: Gate): ReturnType<typeof runGate> {
  const tree = await copyTree();
  const files = PLANTS.filter((plant) => plant.gate === gate).flatMap((plant) => Object.entries(plant.files));
  for (const [file, text] of files) await writeFile(join(tree, file), text);
  return runGate(gate, tree);
}

describe.concurrent('the tree passes', () => {
  it.each(GATES)('%s', async (gate) => {
    const { failed, said } = await runGate(gate, await copyTree());
    expect(failed, said).toBe(false);
  });
});

describe.concurrent('a gate stops', () => {
  it.each(PLANTS)('$what: $gate', async ({ gate, named }) => {
    const { failed, said } = await runGateOnPlants(gate);
    expect(failed).toBe(true);
    for (const name of named) expect(said).toContain(name);
  });
});
