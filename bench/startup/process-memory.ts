import { readFile } from 'node:fs/promises';
import { Fault } from '../../proto/fault.ts';

/** VmRSS, VmHWM ... of a process. `directory` is its own in /proc. */
export async function readStatusKib(directory: string, field: string): Promise<number> {
  const status = await readFile(`${directory}/status`, 'utf8');
  const value = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  if (value === undefined) throw new Fault('environment', `${directory}/status has no ${field}`);
  return Number(value);
}

/** Proportional set size, less the mapping of exactly `exceptMib`, which must be there then. */
export async function readPssKib(directory: string, exceptMib?: number): Promise<number> {
  return sumPssKib(parseSmaps(await readFile(`${directory}/smaps`, 'utf8')), exceptMib);
}

interface Mapping {
  readonly sizeKib: number;
  readonly pssKib: number;
}

export function sumPssKib(mappings: readonly Mapping[], exceptMib?: number): number {
  const guest = mappings.find(({ sizeKib }) => sizeKib === (exceptMib ?? 0) * 1024);
  if (exceptMib !== undefined && guest === undefined) {
    throw new Fault('internal', `no mapping has exactly ${exceptMib} MiB: which is the guest's memory?`);
  }
  const all = mappings.reduce((sum, { pssKib }) => sum + pssKib, 0);
  return all - (exceptMib === undefined ? 0 : (guest?.pssKib ?? 0));
}

/** smaps of proc(5): of each mapping, its size and its share. */
export function parseSmaps(text: string): readonly Mapping[] {
  const sizes = [...text.matchAll(/^Size:\s+(\d+) kB$/gm)];
  const shares = [...text.matchAll(/^Pss:\s+(\d+) kB$/gm)];
  return sizes.map(([, size], index) => ({ sizeKib: Number(size), pssKib: Number(shares[index]?.[1] ?? 0) }));
}
