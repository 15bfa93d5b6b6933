import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type CpioEntry, encodeCpio } from './cpio.ts';
import type { GuestBase } from './guest-base.ts';

/** Mount points of the agent before it has its root. */
const DIRECTORIES = ['dev', 'modules', 'newroot', 'proc', 'sys'];

/**
 * Writes the initrd of pod VMs: the agent as `/init`, and the modules that find the root disk under `/modules`, whose
 * order of loading is `/modules.list`, one path a line. Uncompressed: unpacking costs more than reading in a VM.
 */
export async function packInitrd(agent: string, base: GuestBase, output: string): Promise<void> {
  const modules = await Promise.all(
    base.bootModules.map(async (name): Promise<CpioEntry> => {
      const content = await readFile(join(base.directory, 'modules', name));
      return { kind: 'file', path: `modules/${name}`, mode: 0o644, content };
    }),
  );
  const list = base.bootModules.map((name) => `/modules/${basename(name)}\n`).join('');
  const archive = encodeCpio([
    ...DIRECTORIES.map((path): CpioEntry => ({ kind: 'directory', path, mode: 0o755 })),
    { kind: 'file', path: 'init', mode: 0o755, content: await readFile(agent) },
    { kind: 'file', path: 'modules.list', mode: 0o644, content: Buffer.from(list) },
    ...modules,
  ]);
  await writeFile(output, archive);
}
