import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { ACCELERATOR_WISHES, type AcceleratorWish } from '../../proto/accelerator.ts';
import { Fault } from '../../proto/fault.ts';
import { parseSandboxId, type SandboxId } from '../../proto/ids.ts';
import { onePositional, parseCount, parseFlags, RUN_DIRECTORY_FLAG } from './command.ts';
import { parseDeviceFlag, parseVolumeFlag, type VolumeFlag } from './volume-flag.ts';

/** What the container of BUNDLE is called, beside its sidecars. */
const MAIN_CONTAINER = 'main';

export interface RunContainer {
  readonly id: string;
  readonly bundle: string;
  readonly volumes: readonly VolumeFlag[];
}

export interface RunOptions {
  readonly id: SandboxId;
  readonly main: RunContainer;
  /** In the order of their start. */
  readonly sidecars: readonly RunContainer[];
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
  sidecar: { type: 'string', multiple: true },
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
  const id = parseSandboxId(values.id ?? `run-${randomBytes(4).toString('hex')}`, '--id');
  const bundle = resolve(onePositional(positionals, 'BUNDLE'));
  const sidecars = parseSidecars(values.sidecar ?? [], id);
  const names = sidecars.map((sidecar) => sidecar.id);
  const volumes = [
    ...(values.volume ?? []).map((value) => parsePlaced('volume', value, names, parseVolumeFlag)),
    ...(values.device ?? []).map((value) => parsePlaced('device', value, names, parseDeviceFlag)),
  ];
  const volumesOf = (name: string) => volumes.filter(({ container }) => container === name).map(({ flag }) => flag);
  return {
    id,
    main: { id: MAIN_CONTAINER, bundle, volumes: volumesOf(MAIN_CONTAINER) },
    sidecars: sidecars.map((sidecar) => ({ ...sidecar, volumes: volumesOf(sidecar.id) })),
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

/** `NAME=BUNDLE`, each. */
function parseSidecars(values: readonly string[], podId: string): readonly Omit<RunContainer, 'volumes'>[] {
  const names = new Set<string>();
  return values.map((value) => {
    const complain = (what: string) => new Fault('invalid', `--sidecar "${value}": ${what}; it reads NAME=BUNDLE`);
    const [, name = '', bundle = ''] = /^([^=]*)=(.+)$/s.exec(value) ?? [];
    if (bundle === '') throw complain('a name and a bundle are wanted');
    if (!DNS_LABEL.test(name)) throw complain(`"${name}" is no DNS label (a-z, 0-9 and "-", at most 63)`);
    if (name === MAIN_CONTAINER || name === podId) throw complain(`"${name}" is what BUNDLE's own container is called`);
    if (names.has(name)) throw complain(`there are two of the name "${name}"`);
    names.add(name);
    return { id: name, bundle: resolve(bundle) };
  });
}

/** RFC 1123, section 2.1, and what Kubernetes lets a container be called. */
const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

interface PlacedVolume {
  readonly container: string;
  readonly flag: VolumeFlag;
}

/** `NAME=` before the rest, which begins with `/`, says which sidecar has it. */
function parsePlaced(
  flag: string,
  value: string,
  sidecars: readonly string[],
  parse: (value: string) => VolumeFlag,
): PlacedVolume {
  const [, name = MAIN_CONTAINER, rest = value] = /^([^/:=]*)=(\/.*)$/s.exec(value) ?? [];
  if (rest !== value && !sidecars.includes(name)) {
    throw new Fault('invalid', `--${flag} "${value}": there is no --sidecar ${name}`);
  }
  return { container: name, flag: parse(rest) };
}

export function parseAccelerator(value: string): AcceleratorWish {
  const known = ACCELERATOR_WISHES.find((one) => one === value);
  if (known === undefined) {
    throw new Fault('invalid', `--accelerator is "${value}", but must be one of ${ACCELERATOR_WISHES.join(', ')}`);
  }
  return known;
}
