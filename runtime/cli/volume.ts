import { resolve } from 'node:path';
import { Fault } from '../../proto/fault.ts';
import { DEFAULT_RUN_DIRECTORY } from '../../proto/paths.ts';
import { createNodeSystem } from '../system/node/system.ts';
import { type Command, formatJson, JSON_FLAG, parseFlags, RUN_DIRECTORY_FLAG } from './command.ts';
import { formatVolume, formatVolumes } from './format-volumes.ts';
import { listVolumes, type VolumeView } from './list-volumes.ts';
import { POOL_FLAG, parsePoolFlag } from './pool-flag.ts';
import { parseSubcommand, reportUnreadable } from './subcommand.ts';

const FLAGS = { ...POOL_FLAG, ...JSON_FLAG, ...RUN_DIRECTORY_FLAG } as const;

export const volumeCommand: Command = {
  name: 'volume',
  summary: 'list the volumes of this node, or look into one',
  help: `berth volume: the volumes of this node

Usage: berth volume ls [FLAGS]
       berth volume inspect VOLUME [FLAGS]

Shows the volumes that are published on this node and, of the pools that are named, the others too. FORMATTED says what
berth did to the disk: "never" is blank, "formatting" has no data yet, "formatted" is never formatted again. USED BY is
the pod whose VM has the disk. It reads records; it opens no disk and takes no lease.

  --pool NAME=image-file:DIR  a pool, as berth-csi was given it; may be repeated
  --json                      everything that is recorded, as JSON
  --run-dir DIR               default ${DEFAULT_RUN_DIRECTORY}

Examples:
  berth volume ls --pool fast=image-file:/srv/berth
  berth volume inspect fast.0a1b2c3d4e5f.pvc-1
`,
  flags: FLAGS,
  prepare(args) {
    const { values, positionals } = parseFlags(args, { allowPositionals: true, options: FLAGS });
    const [word = '', volumeId, ...rest] = positionals;
    const verb = parseSubcommand(word, ['ls', 'inspect']);
    if (verb === 'inspect' && volumeId === undefined) throw new Fault('invalid', 'VOLUME is missing');
    const excess = verb === 'ls' ? positionals.slice(1) : rest;
    if (excess.length > 0) throw new Fault('invalid', `"${excess.join(' ')}" is too much`);
    const places = {
      runDirectory: resolve(values['run-dir']),
      pools: (values.pool ?? []).map(parsePoolFlag),
    };
    return async () => {
      const { volumes, unreadable } = await listVolumes(createNodeSystem(), places);
      if (verb === 'ls') process.stdout.write(values.json ? formatJson(volumes) : formatVolumes(volumes));
      else inspect(volumes, volumeId ?? '', values.json);
      return reportUnreadable(unreadable);
    };
  },
};

function inspect(volumes: readonly VolumeView[], volumeId: string, asJson: boolean): void {
  const volume = volumes.find((one) => one.volumeId === volumeId);
  if (volume === undefined) {
    const message = `volume ${volumeId} is not published on this node, and in none of the pools that --pool names`;
    throw new Fault('not-found', message);
  }
  process.stdout.write(asJson ? formatJson(volume) : formatVolume(volume));
}
