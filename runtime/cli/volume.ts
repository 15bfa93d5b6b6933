import { resolve } from 'node:path';
import { Fault } from '../../proto/fault.ts';
import { FILESYSTEMS, type Filesystem } from '../../proto/volume-spec.ts';
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
import { deleteVolume } from './delete-volume.ts';
import { exportVolume } from './export-volume.ts';
import { formatVolume, formatVolumes } from './format-volumes.ts';
import { type ImportOptions, importVolume } from './import-volume.ts';
import { listVolumes, type VolumePlaces, type VolumeView } from './list-volumes.ts';
import { fsckVolume, type MaintenanceOptions, trimVolume } from './maintain-volume.ts';
import { isObjectName } from './object-name.ts';
import { POOL_FLAG, parsePoolFlag, requirePool } from './pool-flag.ts';
import { goBackTo, rescueVolume } from './rescue-volume.ts';
import { parseAccelerator } from './run-options.ts';
import { parseSubcommand, reportUnreadable } from './subcommand.ts';
import { VOLUME_HELP } from './volume-help.ts';

const REPAIRS = ['none', 'safe'];
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
  fs: { type: 'string' },
  confirm: { type: 'string' },
  'zero-log': { type: 'boolean', default: false },
  'no-copy': { type: 'boolean', default: false },
  'back-to': { type: 'string' },
} as const;

export const volumeCommand: Command = {
  name: 'volume',
  summary: 'list the volumes of this node, look into one, check, rescue, trim, export, import or delete it',
  help: VOLUME_HELP,
  flags: FLAGS,
  prepare(args) {
    const { values, positionals } = parseFlags(args, { allowPositionals: true, options: FLAGS });
    const [word = '', ...operands] = positionals;
    const verb = parseSubcommand(word, ['ls', 'inspect', 'fsck', 'rescue', 'trim', 'export', 'import', 'delete']);
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
      case 'rescue': {
        const { 'back-to': copy, 'zero-log': zeroLog, 'no-copy': noCopy } = values;
        if (copy !== undefined && (zeroLog || noCopy)) {
          throw new Fault('invalid', '--back-to repairs nothing: it takes neither --zero-log nor --no-copy');
        }
        const options = { ...maintenance(), zeroLog, makesCopy: !noCopy };
        return onVolume(places, takeOperands(operands, ['VOLUME']), (volume) =>
          copy === undefined ? rescueVolume(volume, options) : goBackTo(volume, copy),
        );
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
      case 'delete': {
        const { confirm } = values;
        if (confirm === undefined) throw new Fault('invalid', "--confirm is missing: the volume's name, once more");
        const options = { confirm, socket: parseEndpoint(values.endpoint) };
        return onVolume(places, takeOperands(operands, ['VOLUME']), (volume) => deleteVolume(volume, options));
      }
    }
  },
};

interface ImportFlags {
  readonly name?: string | undefined;
  readonly endpoint: string;
  readonly fs?: string | undefined;
}

function parseImport({ name, endpoint, fs }: ImportFlags, pools: VolumePlaces['pools']): ImportOptions {
  const [pool, ...others] = pools;
  if (name === undefined) throw new Fault('invalid', '--name is missing: what the volume is to be called');
  if (!isObjectName(name)) {
    const rule = 'lower-case letters, digits, "-" and ".", at most 253, that begin and end with a letter or digit';
    throw new Fault('invalid', `--name is "${name}", but a PersistentVolume's is of ${rule}`);
  }
  if (pool === undefined || others.length > 0)
    throw new Fault('invalid', 'import needs one --pool: where the volume goes');
  return { name, pool, socket: parseEndpoint(endpoint), fsType: fs === undefined ? undefined : parseFilesystem(fs) };
}

function parseFilesystem(word: string): Filesystem {
  const known = FILESYSTEMS.find((one) => one === word);
  if (known !== undefined) return known;
  throw new Fault('invalid', `--fs is "${word}", but must be one of ${FILESYSTEMS.join(', ')}`);
}

function parseEndpoint(endpoint: string): string {
  if (endpoint.startsWith('unix:///')) return endpoint.slice('unix://'.length);
  throw new Fault('invalid', `--endpoint is "${endpoint}", but must be unix:///PATH`);
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
  places.pools.forEach(requirePool);
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
    places.pools.forEach(requirePool);
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
