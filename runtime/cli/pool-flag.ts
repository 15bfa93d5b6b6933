import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Fault } from '../../proto/fault.ts';

export interface PoolFlag {
  readonly name: string;
  readonly directory: string;
}

export const POOL_FLAG = { pool: { type: 'string', multiple: true } } as const;

/** `NAME=image-file:DIR[,OPTION=VALUE ...]`, as berth-csi has it; the options are the driver's affair. */
export function parsePoolFlag(value: string): PoolFlag {
  const [, name, backend, directory] = /^([^=]+)=([^:]*):([^,]+)/.exec(value) ?? [];
  if (name === undefined || directory === undefined) {
    throw new Fault('invalid', `--pool is "${value}", but must be NAME=image-file:DIR, as berth-csi has it`);
  }
  if (backend !== 'image-file') throw new Fault('invalid', `--pool ${name}: there is no backend "${backend}"`);
  return { name, directory: resolve(directory) };
}

/** A directory that is misspelt, or not mounted, is no empty pool. Fault `not-found`. */
export function requirePool({ name, directory }: PoolFlag): void {
  if (existsSync(`${directory}/volumes`)) return;
  throw new Fault('not-found', `${directory} is no pool of berth-csi; --pool ${name} must name its directory`);
}
