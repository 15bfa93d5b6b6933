import { resolve } from 'node:path';
import { Fault } from '../../proto/fault.ts';
import { DEFAULT_RUN_DIRECTORY } from '../../proto/paths.ts';
import { FILESYSTEMS } from '../../proto/volume-spec.ts';
import { createNodeSystem } from '../system/node/system.ts';
import {
  type Command,
  formatJson,
  JSON_FLAG,
  type Prepared,
  parseCount,
  parseFlags,
  RUN_DIRECTORY_FLAG,
} from './command.ts';
import { exportVolume } from './export-volume.ts';
import { formatVolume, formatVolumes } from './format-volumes.ts';
import { type ImportOptions, importVolume } from './import-volume.ts';
import { listVolumes, type VolumePlaces, type VolumeView } from './list-volumes.ts';
import { fsckVolume, type MaintenanceOptions, trimVolume } from './maintain-volume.ts';
import { POOL_FLAG, parsePoolFlag } from './pool-flag.ts';
import { parseAccelerator } from './run-options.ts';
import { parseSubcommand, reportUnreadable } from './subcommand.ts';

const REPAIRS = ['none', 'safe', 'full'];
const FLAGS = {
  ...POOL_FLAG,
  ...JSON_FLAG,
  ...RUN_DIRECTORY_FLAG,
  repair: { type: 'string', default: 'none' },
  memory: { type: 'string', default: '512' },
  accelerator: { type: 'string', default: 'auto' },
  'boot-timeout': { type: 'string', default: '60' },
  guest: { type: 'string' },
  qemu: { type: 'string' },
  name: { type: 'string' },
  endpoint: { type: 'string', default: 'unix:///run/berth/csi.sock' },
  fs: { type: 'string', default: 'ext4' },
} as const;

export const volumeCommand: Command = {
  name: 'volume',
  summary: 'list the volumes of this node, look into one, check, trim, export or import it',
  help: `berth volume: the volumes of this node

Usage: berth volume ls [FLAGS]
       berth volume inspect VOLUME [FLAGS]
       berth volume fsck VOLUME [--repair none|safe|full] [FLAGS]
       berth volume trim VOLUME [FLAGS]
       berth volume export VOLUME FILE [FLAGS]
       berth volume import FILE --name NAME --pool NAME=image-file:DIR [FLAGS]

ls and inspect show the volumes that are published on this node and, of the pools that are named, the others too. They
read records; they open no disk and take no lease. FORMATTED says what berth did to the disk: "never" is blank,
"formatting" has no data yet, "formatted" and "raw" are never formatted again. USED BY is the pod whose VM has the disk.

fsck checks the file system of a volume that no pod uses, prints what the checking program says, and ends with status 0
if all is well afterwards, 1 if not. trim gives blocks that the file system does not use back to the pool; a pod that
runs with the volume does it itself. Both boot a VM of their own where they need one: the host looks into no disk.
export copies the disk of a volume that no pod writes to a new FILE, a raw image with holes where there is nothing.
import makes a volume of an existing raw image, through berth-csi, and prints the PersistentVolume that brings it into
a cluster (kubectl apply -f -). The image is never formatted, whatever is in it.

  --pool NAME=image-file:DIR  a pool, as berth-csi was given it; may be repeated
  --json                      everything that is recorded, as JSON (ls, inspect)
  --run-dir DIR               default ${DEFAULT_RUN_DIRECTORY}
  --repair none|safe|full     of fsck: only look; mend what loses nothing; mend whatever it takes. Default none
  --memory MIB                of the VM; a large file system needs more to be checked; default 512
  --accelerator auto|kvm|tcg  of the VM; default auto
  --boot-timeout S            what its guest may take to say hello; default 60
  --guest DIR                 kernel, initrd and root image; default: the build's
  --qemu PATH                 default: qemu-system-x86_64 of the PATH
  --name NAME                 of the volume that import makes, and of its PersistentVolume
  --endpoint unix:///PATH     where berth-csi listens, for import; default unix:///run/berth/csi.sock
  --fs ext4|xfs|btrfs         of the image that is imported; default ext4

Examples:
  berth volume ls --pool fast=image-file:/srv/berth
  berth volume inspect fast.0a1b2c3d4e5f.pvc-1
  berth volume fsck fast.0a1b2c3d4e5f.pvc-1 --repair safe --pool fast=image-file:/srv/berth
`,
  flags: FLAGS,
  prepare(args) {
    const { values, positionals } = parseFlags(args, { allowPositionals: true, options: FLAGS });
    const [word = '', ...operands] = positionals;
    const verb = parseSubcommand(word, ['ls', 'inspect', 'fsck', 'trim', 'export', 'import']);
    const places: VolumePlaces = {
      runDirectory: resolve(values['run-dir']),
      pools: (values.pool ?? []).map(parsePoolFlag),
    };
    const maintenance = (): MaintenanceOptions => ({
      runDirectory: places.runDirectory,
      memoryMib: parseCount('memory', values.memory, { min: 128, max: 1 << 20 }),
      accelerator: parseAccelerator(values.accelerator),
      bootTimeoutMs: parseCount('boot-timeout', values['boot-timeout'], { min: 1, max: 3600 }) * 1000,
      guestDirectory: values.guest === undefined ? undefined : resolve(values.guest),
      qemu: values.qemu === undefined ? '' : resolve(values.qemu),
    });
    switch (verb) {
      case 'ls':
        takeOperands(operands, []);
        return () => list(places, values.json);
      case 'inspect':
        return onVolume(places, takeOperands(operands, ['VOLUME']), (volume) => {
          process.stdout.write(values.json ? formatJson(volume) : formatVolume(volume));
          return 0;
        });
      case 'fsck': {
        const { repair } = values;
        if (!REPAIRS.includes(repair)) {
          throw new Fault('invalid', `--repair is "${repair}", but must be one of ${REPAIRS.join(', ')}`);
        }
        const options = maintenance();
        return onVolume(places, takeOperands(operands, ['VOLUME']), (volume) => fsckVolume(volume, repair, options));
      }
      case 'trim': {
        const options = maintenance();
        return onVolume(places, takeOperands(operands, ['VOLUME']), (volume) => trimVolume(volume, options));
      }
      case 'export': {
        const [id = '', file = ''] = takeOperands(operands, ['VOLUME', 'FILE']);
        return onVolume(places, [id], (volume) => exportVolume(volume, resolve(file)));
      }
      case 'import': {
        const [file = ''] = takeOperands(operands, ['FILE']);
        const options = parseImport(values, places.pools);
        return () => importVolume(resolve(file), options);
      }
    }
  },
};

function parseImport(
  { name, endpoint, fs }: { name?: string | undefined; endpoint: string; fs: string },
  pools: VolumePlaces['pools'],
): ImportOptions {
  const [pool, ...others] = pools;
  if (name === undefined) throw new Fault('invalid', '--name is missing: what the volume is to be called');
  if (pool === undefined || others.length > 0)
    throw new Fault('invalid', 'import needs one --pool: where the volume goes');
  if (!endpoint.startsWith('unix:///'))
    throw new Fault('invalid', `--endpoint is "${endpoint}", but must be unix:///PATH`);
  if (!FILESYSTEMS.some((known) => known === fs)) {
    throw new Fault('invalid', `--fs is "${fs}", but must be one of ${FILESYSTEMS.join(', ')}`);
  }
  return { name, pool, socket: endpoint.slice('unix://'.length), fsType: fs };
}

/** The operands that a verb takes, all of them and no more. */
function takeOperands(given: readonly string[], names: readonly string[]): readonly string[] {
  const missing = names[given.length];
  if (missing !== undefined) throw new Fault('invalid', `${missing} is missing`);
  const excess = given.slice(names.length);
  if (excess.length > 0) throw new Fault('invalid', `"${excess.join(' ')}" is too much`);
  return given;
}

async function list(places: VolumePlaces, asJson: boolean): Promise<number> {
  const { volumes, unreadable } = await listVolumes(createNodeSystem(), places);
  process.stdout.write(asJson ? formatJson(volumes) : formatVolumes(volumes));
  return reportUnreadable(unreadable);
}

/** `body` with the volume of that id, and what could not be read on standard error. */
function onVolume(
  places: VolumePlaces,
  [volumeId]: readonly string[],
  body: (volume: VolumeView) => Promise<number> | number,
): Prepared {
  return async () => {
    const { volumes, unreadable } = await listVolumes(createNodeSystem(), places);
    const unread = reportUnreadable(unreadable);
    const volume = volumes.find((one) => one.volumeId === volumeId);
    if (volume === undefined) {
      const message = `volume ${volumeId} is not published on this node, and in none of the pools that --pool names`;
      throw new Fault('not-found', message);
    }
    return (await body(volume)) || unread;
  };
}
