import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import type { CsiNode } from './csi-node.ts';
import { anyText } from './fuzz.ts';
import type { Vocabulary } from './proto-arbitrary.ts';

/** What is there before each request: a volume, a snapshot of it, and a group with another. */
export interface KnownIds {
  readonly volumeId: string;
  readonly snapshotId: string;
  readonly groupId: string;
  readonly memberIds: readonly string[];
}

export const WRITER = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
export const SIZE_BYTES = 16 << 20;

/** Of every request that can have one: it must never be seen again. */
export const SECRET = 'hush-0451';

const POD_UID = 'csi.storage.k8s.io/pod.uid';
const EPHEMERAL = 'csi.storage.k8s.io/ephemeral';

/** Target paths as kubelet has them, and such as it never should. */
async function createTargets(node: CsiNode): Promise<string[]> {
  const inside = (name: string): string => join(node.scratch, 'kubelet', name);
  const targets = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((pod) => node.target(pod)));
  const [, , file = '', full = '', link = ''] = targets;
  await writeFile(file, 'a file');
  await mkdir(join(full, 'empty/deeper'), { recursive: true });
  await writeFile(join(full, 'zz-kept'), 'somebody wrote this');
  await symlink(dirname(full), link);
  const odd = ['no/parent/here', 'x'.repeat(300), 'pods/a/../b', 'pods//a', 'pods/a/', '😀'.repeat(900), 'a\0b'];
  const relative = ['', '.', `a${'😀'.repeat(1000)}`, `aa${'😀'.repeat(1000)}`, 'kubelet/pods'];
  return [...targets, ...odd.map(inside), node.scratch, ...relative];
}

/** Words for every field of csi.proto whose value means something to the driver, most of them words that work. */
export async function createVocabulary(node: CsiNode, ids: KnownIds): Promise<Vocabulary> {
  const { volumeId, snapshotId, groupId, memberIds } = ids;
  const [, key = ''] = volumeId.split('.');
  const foreign = '0'.repeat(key.length);
  const targets = await createTargets(node);
  // Nothing outside of the scratch directory: the driver is root, and may be asked to remove an empty directory.
  const anyPath = anyText().map((text) => (text.startsWith('/') ? join(node.scratch, 'any', text) : text));
  const path = mostly(targets.slice(0, 2), [fc.constantFrom(...targets), anyPath]);
  const volume = mostly([volumeId], [`main.${key}.new`, `old.${key}.known`, `main.${foreign}.known`, snapshotId]);
  const snapshot = mostly(
    [snapshotId, ...memberIds],
    [`main.${key}.s_no`, `main.${foreign}.s_known`, volumeId, groupId],
  );
  return {
    ...capabilityWords(),
    ...classWords(),
    volume_id: volume,
    source_volume_id: volume,
    source_volume_ids: mostly([[volumeId]], [[], [volumeId, volumeId], [volumeId, `main.${key}.new`]]),
    snapshot_id: snapshot,
    base_snapshot_id: snapshot,
    target_snapshot_id: snapshot,
    group_snapshot_id: mostly([groupId], [`${key}.g_no`, `${foreign}.g_known`, snapshotId]),
    snapshot_ids: mostly([memberIds], [[], [snapshotId], [...memberIds, ...memberIds]]),
    node_id: mostly(['node-1'], ['node-2', '']),
    // Short ones are new for a while, and taken later.
    name: mostly(
      ['known', fc.stringMatching(/^[a-z]{1,2}$/), 'A Name'],
      ['../../etc', 'n'.repeat(128), 'n'.repeat(129)],
    ),
    volume_content_source: mostly(
      [undefined, { snapshot: { snapshot_id: snapshotId } }, { volume: { volume_id: volumeId } }],
      [{ volume: { volume_id: 'v' } }, { snapshot: { snapshot_id: `main.${key}.s_no` } }, {}],
    ),
    accessibility_requirements: mostly([undefined, requisite('node-1')], [requisite('node-2'), { requisite: [] }]),
    volume_context: mostly(
      [{ [POD_UID]: 'pod-a' }, { [POD_UID]: 'pod-b' }],
      [{}, { [POD_UID]: '../x' }, { [POD_UID]: 'pod-a', [EPHEMERAL]: 'true', size: '16Mi' }, { [EPHEMERAL]: 'true' }],
    ),
    max_entries: mostly([0, 1, 2], [-1, 2 ** 31 - 1]),
    max_results: mostly([0, 1, 100], [-1, 2 ** 31 - 1]),
    starting_token: mostly([''], [volumeId, snapshotId, 'x']),
    starting_offset: mostly(['0', '4096', String(SIZE_BYTES)], ['-1', '9223372036854775807']),
    staging_target_path: path,
    target_path: path,
    volume_path: path,
  };
}

function capabilityWords(): Vocabulary {
  const block = { ...WRITER, mount: undefined, block: {} };
  const single = { ...WRITER, access_mode: { mode: 'SINGLE_NODE_SINGLE_WRITER' } };
  return {
    fs_type: mostly(['', 'ext4'], ['xfs', 'btrfs']),
    mode: mostly(['SINGLE_NODE_WRITER'], ['SINGLE_NODE_SINGLE_WRITER', 'MULTI_NODE_READER_ONLY', 'UNKNOWN', 5]),
    volume_mount_group: mostly([''], ['1000', '-1', 'x']),
    mount_flags: mostly([[]], [['noatime'], ['noatime', '']]),
    volume_capability: mostly([WRITER], [single, block, {}]),
    volume_capabilities: mostly([[WRITER]], [[single], [block], [WRITER, {}], []]),
    capacity_range: mostly(
      [{ required_bytes: SIZE_BYTES }, { required_bytes: 2 * SIZE_BYTES }],
      [
        undefined,
        { limit_bytes: '1' },
        { required_bytes: '1125899906842624' },
        { required_bytes: '5', limit_bytes: '4' },
      ],
    ),
  };
}

function classWords(): Vocabulary {
  return {
    mutable_parameters: mostly([{}, { iops: '100' }, { bandwidth: '1Mi' }], [{ iops: '-1' }, { pool: 'main' }]),
    parameters: mostly(
      // Snapshots have the field too, and take no word of these.
      [{}, {}, {}, { pool: 'main' }, { cache: 'none', iops: '500' }],
      [
        { pool: 'old' },
        { 'csi.storage.k8s.io/fstype': 'xfs' },
        { provisioning: 'thick' },
        { aio: 'native' },
        { consumer: 'kata' },
        { a: 'b' },
      ],
    ),
    secrets: fc.constant({ token: SECRET }),
  };
}

const requisite = (node: string) => ({ requisite: [{ segments: { 'csi.berth.dev/node': node } }] });

/** Fifteen times of sixteen something good, as a request has many fields; any word may be an arbitrary of its own. */
const mostly = (good: readonly unknown[], others: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 15, arbitrary: anyOf(good) }, { weight: 1, arbitrary: anyOf(others) });

const anyOf = (words: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof(...words.map((each) => (isArbitrary(each) ? each : fc.constant(each))));

const isArbitrary = (value: unknown): value is fc.Arbitrary<unknown> =>
  typeof value === 'object' && value !== null && 'generate' in value;
