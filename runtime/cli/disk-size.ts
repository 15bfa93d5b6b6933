import { stat, truncate } from 'node:fs/promises';
import { Fault } from '../../proto/fault.ts';
import { VOLUME_FILES, type VolumeSpec, volumeSpecRecord } from '../../proto/volume-spec.ts';
import { exec } from '../system/node/exec.ts';
import { createNodeSystem } from '../system/node/system.ts';
import { recordFile } from '../system/record-file.ts';

/** Gives a file that is to be the disk of the volume in `directory` the size that is on record now: it may have grown. */
export async function extendDisk(disk: string, directory: string): Promise<void> {
  const { capacityBytes, class: kind } = await readSpec(directory);
  if (kind.provisioning === 'thick') await exec('fallocate', ['--length', String(capacityBytes), disk]);
  else if ((await stat(disk)).size < capacityBytes) await truncate(disk, capacityBytes);
}

async function readSpec(directory: string): Promise<VolumeSpec> {
  const path = `${directory}/${VOLUME_FILES.spec}`;
  const spec = await recordFile(createNodeSystem(), volumeSpecRecord, path, { durable: true }).load();
  if (spec === undefined) throw new Fault('not-found', `there is no ${path} any more`, { fields: { path } });
  return spec;
}
