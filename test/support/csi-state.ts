import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { volumeAttachmentRecord } from '../../proto/volume-attachment.ts';
import type { CsiNode } from './csi-node.ts';
import { listTree } from './file-tree.ts';

/** Parts of spec.json and of snapshot.json. */
interface Owner {
  readonly name?: string;
  readonly isEphemeral?: boolean;
  readonly groupId?: string;
}

/** Everything that a request could change, as lines of text. */
export interface CsiState {
  /** By the id of what they are of: `volumes/<id>`, `snapshots/<id>`. */
  readonly data: ReadonlyMap<string, readonly string[]>;
  /** Of each of them, what its record says. */
  readonly records: ReadonlyMap<string, Owner>;
  /** What is half made, of any kind. */
  readonly unfinished: readonly string[];
  /** Records of publications, kubelet's directories, mounts. */
  readonly publications: readonly string[];
}

export async function readState(node: CsiNode): Promise<CsiState> {
  const pool = join(node.root, node.pool);
  const mounts = (await node.mounts()).map(({ mountPoint, source }) => `${mountPoint} ${source}`);
  const trees = async (root: string, names: readonly string[]): Promise<string[]> => {
    const lists = await Promise.all(
      names.map(async (name) => (await listTree(join(root, name))).map((line) => `${name}/${line}`)),
    );
    return lists.flat();
  };
  const data = new Map<string, string[]>();
  for (const line of await trees(pool, ['volumes', 'snapshots'])) {
    const [id = ''] = /^[^/]+\/[^/ ]+/.exec(line) ?? [];
    data.set(id, [...(data.get(id) ?? []), line]);
  }
  const records = new Map<string, Owner>();
  for (const path of data.keys()) {
    records.set(path, await readOwner(join(pool, path, path.startsWith('volumes/') ? 'spec.json' : 'snapshot.json')));
  }
  return {
    data,
    records,
    unfinished: await trees(pool, ['incoming', 'copies', 'trash']),
    publications: [
      ...(await trees(node.runDirectory, ['volumes'])),
      ...(await trees(node.scratch, ['kubelet'])),
      ...mounts,
    ],
  };
}

const readOwner = async (path: string): Promise<Owner> => JSON.parse(await readFile(path, 'utf8'));

interface Allowance {
  /** Field of the request that names what may change, and how. */
  readonly by?: string;
  readonly change?: 'edit' | 'remove';
  /** New volumes and snapshots may be there afterwards. */
  readonly adds?: true;
  readonly publishes?: true;
}

/** What a verb may do when it succeeds. A verb that is not here only looks. */
const ALLOWANCES: Readonly<Record<string, Allowance>> = {
  CreateVolume: { adds: true },
  DeleteVolume: { by: 'volume_id', change: 'remove' },
  ControllerPublishVolume: { by: 'volume_id', change: 'edit' },
  ControllerUnpublishVolume: { by: 'volume_id', change: 'edit' },
  ControllerExpandVolume: { by: 'volume_id', change: 'edit' },
  ControllerModifyVolume: { by: 'volume_id', change: 'edit' },
  CreateSnapshot: { adds: true },
  DeleteSnapshot: { by: 'snapshot_id', change: 'remove' },
  CreateVolumeGroupSnapshot: { adds: true },
  DeleteVolumeGroupSnapshot: { by: 'group_snapshot_id', change: 'remove' },
  // An inline volume comes and goes with its publication, under an id of kubelet's.
  NodePublishVolume: { adds: true, publishes: true },
  NodeUnpublishVolume: { publishes: true },
};

/** Nothing of `before` is lost or changed but what the verb was asked for. */
export function expectAllowed(verb: string, request: object, before: CsiState, after: CsiState): void {
  const { by, change, adds, publishes } = ALLOWANCES[verb] ?? {};
  const id: unknown = Object.entries(request).find(([field]) => field === by)?.[1];
  for (const [path, lines] of before.data) {
    const { groupId, isEphemeral } = before.records.get(path) ?? {};
    const isNamed = [path.split('/')[1], groupId].includes(String(id));
    const isGone = !after.data.has(path);
    if (isNamed && change === (isGone ? 'remove' : 'edit')) continue;
    if (isGone && verb === 'NodeUnpublishVolume' && isEphemeral === true) continue;
    expect(after.data.get(path), path).toEqual(lines);
  }
  if (adds !== true) expect([...before.data.keys()]).toEqual(expect.arrayContaining([...after.data.keys()]));
  if (publishes !== true) expect(after.publications).toEqual(before.publications);
  expect(after.unfinished).toEqual(before.unfinished);
}

/** Requests that take back every publication on record. kubelet has an id of its own for an inline volume. */
export async function readPublications(node: CsiNode): Promise<{ volume_id: string; target_path: string }[]> {
  const records = join(node.runDirectory, 'volumes');
  const names = await readdir(records, { recursive: true });
  return Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => {
        const { volumeId, targetPath } = volumeAttachmentRecord.decode(
          await readFile(join(records, name), 'utf8'),
          name,
        );
        const owner = await readOwner(join(node.root, node.pool, 'volumes', volumeId, 'spec.json'));
        const kubeletId = owner.name?.replace(/^ephemeral:/, '') ?? '';
        return { volume_id: owner.isEphemeral === true ? kubeletId : volumeId, target_path: targetPath };
      }),
  );
}

/** What a guest has written, and no request is to touch: `text` at 4096. */
export async function readPrecious(node: CsiNode, path: string): Promise<string> {
  const image = await open(join(node.root, node.pool, path, 'image.raw'));
  try {
    const { buffer } = await image.read(Buffer.alloc(8), 0, 8, 4096);
    return buffer.toString();
  } finally {
    await image.close();
  }
}
