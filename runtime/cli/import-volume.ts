import { open, stat } from 'node:fs/promises';
import * as v from 'valibot';
import { Fault } from '../../proto/fault.ts';
import { decodeWith } from '../../proto/record.ts';
import { volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { exec, run } from '../system/node/exec.ts';
import { createNodeSystem } from '../system/node/system.ts';
import { recordFile } from '../system/record-file.ts';
import { formatJson } from './command.ts';
import type { PoolFlag } from './pool-flag.ts';
import { findPrograms } from './programs.ts';

const DRIVER = 'csi.berth.dev';

export interface ImportOptions {
  /** CreateVolume's name, and that of the PersistentVolume. */
  readonly name: string;
  readonly pool: PoolFlag;
  /** Socket of berth-csi. */
  readonly socket: string;
  /** Of the image. */
  readonly fsType: string;
}

const created = v.object({
  volume: v.object({
    volume_id: v.string(),
    capacity_bytes: v.number(),
    accessible_topology: v.array(v.object({ segments: v.record(v.string(), v.string()) })),
  }),
});
type Created = v.InferOutput<typeof created>['volume'];

/**
 * An existing raw image becomes a volume: berth-csi makes it, its disk is filled under its lease, and a PersistentVolume
 * that names it is printed. The record says `raw` before the first byte is there: nothing will ever format it.
 */
export async function importVolume(file: string, options: ImportOptions): Promise<number> {
  const { size } = await stat(file).catch((cause: unknown) => {
    throw new Fault('not-found', `there is no image ${file}`, { fields: { file }, cause });
  });
  const volume = await createVolume(size, options);
  const directory = `${options.pool.directory}/volumes/${volume.volume_id}`;
  await withLease(directory, volume.volume_id, async () => {
    await recordRaw(directory, volume.volume_id);
    const image = `${directory}/${VOLUME_FILES.image}`;
    // In place: the image has the volume's size, which may be larger, and stays the file that it is.
    await exec('dd', [`if=${file}`, `of=${image}`, 'bs=1M', 'conv=notrunc,sparse,fsync', 'status=none']);
  });
  process.stdout.write(formatJson(toPersistentVolume(volume, options)));
  return 0;
}

async function createVolume(sizeBytes: number, { name, pool, socket, fsType }: ImportOptions): Promise<Created> {
  // Loaded on demand: the gRPC client would slow every other command down.
  const { createCsiClient } = await import('../../deploy/demo/csi-client.ts');
  const client = createCsiClient(socket, findPrograms().csiProto);
  try {
    const reply = await client.call('Controller', 'CreateVolume', {
      name,
      capacity_range: { required_bytes: sizeBytes },
      volume_capabilities: [{ mount: { fs_type: fsType }, access_mode: { mode: 'SINGLE_NODE_WRITER' } }],
      parameters: { pool: pool.name },
    });
    return decodeWith(created, reply, 'CreateVolume').volume;
  } finally {
    client.close();
  }
}

/** Node has no flock(2), but the lock belongs to the open file: util-linux takes it on the descriptor that it inherits. */
async function withLease(directory: string, volumeId: string, body: () => Promise<void>): Promise<void> {
  const path = `${directory}/${VOLUME_FILES.lease}`;
  const handle = await open(path, 'r+').catch((cause: unknown) => {
    const message = `there is no ${path}; is --pool the directory that berth-csi was given?`;
    throw new Fault('not-found', message, { fields: { volumeId }, cause });
  });
  try {
    const args = ['--exclusive', '--nonblock', '3'];
    const { exitCode } = await run({ file: 'flock', args, descriptors: [handle.fd] });
    if (exitCode !== 0) throw new Fault('precondition', `volume ${volumeId} is in use by a pod already`);
    await body();
  } finally {
    await handle.close();
  }
}

/** A volume of that name may have been there before: what it holds is not overwritten. */
async function recordRaw(directory: string, volumeId: string): Promise<void> {
  const path = `${directory}/${VOLUME_FILES.filesystem}`;
  const record = recordFile(createNodeSystem(), volumeFilesystemRecord, path, { durable: true });
  const found = await record.load();
  if (found === undefined) throw new Fault('not-found', `volume ${volumeId}: there is no ${path} any more`);
  if (found.state !== 'never') {
    const message = `volume ${volumeId} is there already, and has been used; take another --name, or delete it first`;
    throw new Fault('exists', message, { fields: { volumeId } });
  }
  await record.save({ state: 'raw' });
}

/** Kept when its claim goes, as it existed before: berth deletes it when somebody says so. */
function toPersistentVolume(volume: Created, { name, fsType }: ImportOptions): unknown {
  const terms = volume.accessible_topology.map(({ segments }) => ({
    matchExpressions: Object.entries(segments).map(([key, value]) => ({ key, operator: 'In', values: [value] })),
  }));
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      capacity: { storage: String(volume.capacity_bytes) },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: '',
      volumeMode: 'Filesystem',
      csi: { driver: DRIVER, volumeHandle: volume.volume_id, fsType },
      ...(terms.length === 0 ? {} : { nodeAffinity: { required: { nodeSelectorTerms: terms } } }),
    },
  };
}
