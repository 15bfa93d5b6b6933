import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { ACCELERATOR_WISHES, type AcceleratorWish } from '../../proto/accelerator.ts';
import { Fault } from '../../proto/fault.ts';
import { parseSandboxId, type SandboxId } from '../../proto/ids.ts';
import { onePositional, parseCount, parseFlags, RUN_DIRECTORY_FLAG } from './command.ts';
import { parseDeviceFlag, parseVolumeFlag, type VolumeFlag } from './volume-flag.ts';

export interface RunOptions {
  readonly bundle: string;
  readonly id: SandboxId;
  readonly volumes: readonly VolumeFlag[];
  /** Empty: the VM has no NIC. */
  readonly netnsPath: string;
  readonly memoryMib: number;
  readonly vcpus: number;
  readonly accelerator: AcceleratorWish;
  readonly runDirectory: string;
  /** Undefined: the one of the build. */
  readonly guestDirectory: string | undefined;
  /** Empty: the first of the PATH. */
  readonly qemu: string;
  readonly bootTimeoutMs: number;
  /** Where other drivers leave Kata's mountInfo.json; empty: Kata's own place. */
  readonly directVolumesDirectory: string;
}

export const RUN_FLAGS = {
  id: { type: 'string' },
  volume: { type: 'string', multiple: true },
  device: { type: 'string', multiple: true },
  'direct-volumes': { type: 'string' },
  netns: { type: 'string' },
  memory: { type: 'string', default: '256' },
  cpus: { type: 'string', default: '1' },
  accelerator: { type: 'string', default: 'auto' },
  'boot-timeout': { type: 'string', default: '60' },
  ...RUN_DIRECTORY_FLAG,
  guest: { type: 'string' },
  qemu: { type: 'string' },
} as const;

/** `args` after `berth run`. Throws `invalid` naming the flag. */
export function parseRunOptions(args: readonly string[]): RunOptions {
  const { values, positionals } = parseFlags(args, {
    allowPositionals: true,
    options: RUN_FLAGS,
  });
  return {
    bundle: resolve(onePositional(positionals, 'BUNDLE')),
    id: parseSandboxId(values.id ?? `run-${randomBytes(4).toString('hex')}`, '--id'),
    volumes: [...(values.volume ?? []).map(parseVolumeFlag), ...(values.device ?? []).map(parseDeviceFlag)],
    directVolumesDirectory: values['direct-volumes'] === undefined ? '' : resolve(values['direct-volumes']),
    netnsPath: values.netns === undefined ? '' : resolve(values.netns),
    memoryMib: parseCount('memory', values.memory, { min: 128, max: 1 << 20 }),
    vcpus: parseCount('cpus', values.cpus, { min: 1, max: 255 }),
    accelerator: parseAccelerator(values.accelerator),
    runDirectory: resolve(values['run-dir']),
    guestDirectory: values.guest === undefined ? undefined : resolve(values.guest),
    qemu: values.qemu === undefined ? '' : resolve(values.qemu),
    bootTimeoutMs: parseCount('boot-timeout', values['boot-timeout'], { min: 1, max: 3600 }) * 1000,
  };
}

export function parseAccelerator(value: string): AcceleratorWish {
  const known = ACCELERATOR_WISHES.find((one) => one === value);
  if (known === undefined) {
    throw new Fault('invalid', `--accelerator is "${value}", but must be one of ${ACCELERATOR_WISHES.join(', ')}`);
  }
  return known;
}
