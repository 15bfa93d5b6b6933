import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { Fault } from '../../proto/fault.ts';
import { parseSandboxId, type SandboxId } from '../../proto/ids.ts';
import { DEFAULT_RUN_DIRECTORY } from '../../proto/paths.ts';
import { type Command, onePositional, parseCount, parseFlags } from './command.ts';
import { runPod } from './run-pod.ts';
import { parseVolumeFlag, type VolumeFlag } from './volume-flag.ts';

const ACCELERATORS = ['tcg', 'kvm'] as const;

export interface RunOptions {
  readonly bundle: string;
  readonly id: SandboxId;
  readonly volumes: readonly VolumeFlag[];
  /** Empty: the VM has no NIC. */
  readonly netnsPath: string;
  readonly memoryMib: number;
  readonly vcpus: number;
  readonly accelerator: (typeof ACCELERATORS)[number];
  readonly runDirectory: string;
  /** Undefined: the one of the build. */
  readonly guestDirectory: string | undefined;
  /** Empty: the first of the PATH. */
  readonly qemu: string;
  readonly bootTimeoutMs: number;
}

const HELP = `berth run: one container in a pod VM of its own

Usage: berth run BUNDLE [FLAGS]

BUNDLE is an OCI bundle: a directory with config.json ("runc spec" makes one) and a root file system, which the
guest sees read-only below a writable layer in its memory. Standard input, output and error are the container's, and
so is the exit status (128 + n if signal n ended it). SIGINT and SIGTERM go to the container; a second one ends the
pod. When the command returns, nothing of the pod is left but the data on its volumes.

  --volume TARGET:/path[:ro]  the volume that CSI published at TARGET, mounted at /path; may be repeated
  --netns PATH                network namespace that CNI prepared for the pod; without it the VM has no NIC
  --id ID                     name of the pod; default: a random one
  --memory MIB                memory of the VM; default 256
  --cpus N                    virtual CPUs; default 1
  --accelerator tcg|kvm       default tcg, which needs no hardware
  --boot-timeout S            what the guest may take to say hello; default 60
  --run-dir DIR               where pods and networks are recorded; default ${DEFAULT_RUN_DIRECTORY}
  --guest DIR                 kernel, initrd and root image; default: the build's
  --qemu PATH                 default: qemu-system-x86_64 of the PATH

Examples:
  berth run ./bundle
  berth run ./bundle --volume /var/lib/kubelet/pods/UID/volumes/kubernetes.io~csi/data/mount:/data
  berth run ./bundle --netns /run/netns/pod1 --memory 512
`;

export const runCommand: Command = {
  name: 'run',
  summary: 'run a container in a pod VM of its own, with its volumes and its network',
  help: HELP,
  prepare(args) {
    const options = parseRunArguments(args);
    return () => runPod(options);
  },
};

/** `args` after `berth run`. Throws `invalid` naming the flag. */
export function parseRunArguments(args: readonly string[]): RunOptions {
  const { values, positionals } = parseFlags(args, {
    allowPositionals: true,
    options: {
      id: { type: 'string' },
      volume: { type: 'string', multiple: true, default: [] },
      netns: { type: 'string' },
      memory: { type: 'string', default: '256' },
      cpus: { type: 'string', default: '1' },
      accelerator: { type: 'string', default: 'tcg' },
      'boot-timeout': { type: 'string', default: '60' },
      'run-dir': { type: 'string', default: DEFAULT_RUN_DIRECTORY },
      guest: { type: 'string' },
      qemu: { type: 'string' },
    },
  });
  return {
    bundle: resolve(onePositional(positionals, 'BUNDLE')),
    id: parseSandboxId(values.id ?? `run-${randomBytes(4).toString('hex')}`, '--id'),
    volumes: values.volume.map(parseVolumeFlag),
    netnsPath: values.netns === undefined ? '' : resolve(values.netns),
    memoryMib: parseCount('memory', values.memory, { min: 64, max: 1 << 20 }),
    vcpus: parseCount('cpus', values.cpus, { min: 1, max: 255 }),
    accelerator: parseAccelerator(values.accelerator),
    runDirectory: resolve(values['run-dir']),
    guestDirectory: values.guest === undefined ? undefined : resolve(values.guest),
    qemu: values.qemu === undefined ? '' : resolve(values.qemu),
    bootTimeoutMs: parseCount('boot-timeout', values['boot-timeout'], { min: 1, max: 3600 }) * 1000,
  };
}

function parseAccelerator(value: string): RunOptions['accelerator'] {
  const known = ACCELERATORS.find((one) => one === value);
  if (known === undefined) {
    throw new Fault('invalid', `--accelerator is "${value}", but must be one of ${ACCELERATORS.join(', ')}`);
  }
  return known;
}
