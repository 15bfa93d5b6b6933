import { open, readdir, readFile, truncate } from 'node:fs/promises';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toGroupId, toSnapshotId } from '../../csi/snapshot-id.ts';
import { toNodeKey, toVolumeId } from '../../csi/volume-id.ts';
import { SNAPSHOT_FILES, volumeSnapshotRecord } from '../../proto/volume-snapshot.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';
import { startStandInVm } from '../support/stand-in-vm.ts';
import { mountXfsPool } from '../support/xfs-pool.ts';

const MIB = 1 << 20;
const SIZE = 64 * MIB;
const writer = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
/** All but some MiB, which a file system keeps for itself. */
const FILL = 'fallocate -l $(($(df --output=avail -B1 "$1" | tail -1) - 16777216)) "$1/of-others"';
const elsewhere = toNodeKey('node-2');

let node: CsiNode;
let driver: CsiProcess;
const closers: (() => Promise<void>)[] = [];
beforeEach(async () => {
  node = await createCsiNode();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await node.close();
});

async function startOnXfs(): Promise<void> {
  await mountXfsPool(node);
  driver = await node.start();
}

const call = (verb: 'CreateSnapshot' | 'DeleteSnapshot' | 'ListSnapshots' | 'GetSnapshot', request: object) =>
  driver.client.call('Controller', verb, request);
const group = (
  verb: 'CreateVolumeGroupSnapshot' | 'DeleteVolumeGroupSnapshot' | 'GetVolumeGroupSnapshot',
  request: object,
) => driver.client.call('GroupController', verb, request);

async function create(name: string, source?: object): Promise<string> {
  const request = { name, capacity_range: { required_bytes: SIZE }, volume_capabilities: [writer] };
  const from = source === undefined ? {} : { volume_content_source: source };
  return (await driver.client.call('Controller', 'CreateVolume', { ...request, ...from })).volume.volume_id;
}
const restore = (name: string, snapshot_id: string) => create(name, { snapshot: { snapshot_id } });

async function snap(name: string, source_volume_id: string) {
  return (await driver.client.call('Controller', 'CreateSnapshot', { name, source_volume_id })).snapshot;
}

async function takeGroup(name: string, ...source_volume_ids: readonly string[]) {
  const request = { name, source_volume_ids };
  return (await driver.client.call('GroupController', 'CreateVolumeGroupSnapshot', request)).group_snapshot;
}

async function listed(request: object = {}): Promise<string[]> {
  const { entries } = await driver.client.call('Controller', 'ListSnapshots', request);
  return entries.map(({ snapshot }) => snapshot.snapshot_id);
}

const inPool = (...path: readonly string[]) => [`${node.root}${node.pool}`, ...path].join('/');
const imageOf = (volumeId: string) => inPool('volumes', volumeId, VOLUME_FILES.image);

async function write(volumeId: string, text: string, offset = 0): Promise<void> {
  const image = await open(imageOf(volumeId), 'r+');
  await image.write(text, offset);
  await image.close();
}

async function read(volumeId: string, length: number, offset = 0): Promise<string> {
  const image = await open(imageOf(volumeId));
  const { buffer } = await image.read({ buffer: Buffer.alloc(length), position: offset });
  await image.close();
  return buffer.toString();
}

async function recordOf(snapshotId: string) {
  const text = await readFile(inPool('snapshots', snapshotId, SNAPSHOT_FILES.record), 'utf8');
  return volumeSnapshotRecord.decode(text, 'record');
}

async function standIn(...args: Parameters<typeof startStandInVm> extends [CsiNode, ...infer Rest] ? Rest : never) {
  const vm = await startStandInVm(node, ...args);
  closers.push(vm.end);
  return vm;
}

/** What is in the pool beside volumes that are whole, and in the journal of groups. */
async function snapshotsOnDisk(): Promise<string[]> {
  const places = ['snapshots', 'incoming', 'trash'].map((name) => inPool(name));
  const found = await Promise.all([...places, `${node.scratch}/state/groups`].map((place) => readdir(place)));
  return found.flat().sort();
}

describe('a snapshot', () => {
  it('keeps what the volume held, makes volumes of it, and outlives its source', async () => {
    await startOnXfs();
    const source = await create('source');
    await write(source, 'before');
    const snapshot = await snap('one', source);
    expect(snapshot).toMatchObject({ source_volume_id: source, size_bytes: String(SIZE), ready_to_use: true });
    expect(Math.abs(Number(snapshot.creation_time.seconds) - Date.now() / 1000)).toBeLessThan(60);
    await write(source, 'after!');
    const restored = await restore('restored', snapshot.snapshot_id);
    expect([await read(source, 6), await read(restored, 6)]).toEqual(['after!', 'before']);
    expect(await recordOf(snapshot.snapshot_id)).toMatchObject({ consistency: 'detached', remark: '' });

    await driver.client.call('Controller', 'DeleteVolume', { volume_id: source });
    await write(restored, 'mine..');
    expect(await read(await restore('again', snapshot.snapshot_id), 6)).toBe('before');
    await call('DeleteSnapshot', { snapshot_id: snapshot.snapshot_id });
    await call('DeleteSnapshot', { snapshot_id: snapshot.snapshot_id });
    expect(await read(restored, 6)).toBe('mine..');
    expect(await snapshotsOnDisk()).toEqual([]);
  });

  it('of a name is there once: the same request finds it, also without its source and after a restart', async () => {
    await startOnXfs();
    const [source, other] = [await create('source'), await create('other')];
    const first = await snap('one', source);
    expect(await snap('one', source)).toEqual(first);
    await expect(snap('one', other)).rejects.toMatchObject({
      code: status.ALREADY_EXISTS,
      details: expect.stringContaining(`of volume ${source}`),
    });
    await driver.client.call('Controller', 'DeleteVolume', { volume_id: source });
    await driver.crash();
    driver = await node.start();
    expect(await snap('one', source)).toEqual(first);
    expect(
      (await driver.client.call('Controller', 'GetSnapshot', { snapshot_id: first.snapshot_id })).snapshot,
    ).toEqual(first);
  });

  it('is found by filters and in pages that survive what comes and goes', async () => {
    await startOnXfs();
    const [a, b] = [await create('a'), await create('b')];
    const ids: string[] = [];
    for (const name of ['s1', 's2', 's3', 's4', 's5']) {
      ids.push((await snap(name, name === 's2' ? b : a)).snapshot_id);
    }
    expect(await listed()).toEqual(ids);
    expect(await listed({ source_volume_id: b })).toEqual([ids[1]]);
    expect(await listed({ snapshot_id: ids[2] })).toEqual([ids[2]]);
    expect(await listed({ snapshot_id: ids[2], source_volume_id: b })).toEqual([]);
    expect(await listed({ snapshot_id: 'none' })).toEqual([]);
    expect(await listed({ source_volume_id: 'none' })).toEqual([]);
    const first = await driver.client.call('Controller', 'ListSnapshots', { max_entries: 2 });
    expect(first.entries.map(({ snapshot }) => snapshot.snapshot_id)).toEqual(ids.slice(0, 2));
    await call('DeleteSnapshot', { snapshot_id: ids[1] });
    await snap('s0', a);
    const rest = { max_entries: 3, starting_token: first.next_token };
    expect(await driver.client.call('Controller', 'ListSnapshots', rest)).toMatchObject({ next_token: '' });
    expect(await listed(rest)).toEqual(ids.slice(2));
    await expect(call('ListSnapshots', { starting_token: 'invalid' })).rejects.toMatchObject({ code: status.ABORTED });
    await expect(call('ListSnapshots', { max_entries: -1 })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('of a volume that a VM has is taken while its guest is frozen', async () => {
    await startOnXfs();
    const source = await create('source');
    const vm = await standIn('box', [source]);
    const { snapshot_id } = await snap('one', source);
    expect(vm.events).toEqual([`freeze ${source}`, `thaw ${source}`]);
    expect(await recordOf(snapshot_id)).toMatchObject({ consistency: 'frozen', remark: '' });
    await vm.end();
    expect(await recordOf((await snap('two', source)).snapshot_id)).toMatchObject({ consistency: 'detached' });
  });

  it('says in its record and in the log when the guest did not stay frozen', async () => {
    await startOnXfs();
    const source = await create('source');
    await standIn('box', [source], { thawVolumes: async () => ({ wasHeld: false }) });
    const { snapshot_id } = await snap('one', source);
    const remark = 'its guest had thawed by itself before the copy was whole';
    expect(await recordOf(snapshot_id)).toMatchObject({ consistency: 'crash', remark });
    expect(driver.log.some((line) => line.includes('"warn"') && line.includes(remark))).toBe(true);
  });

  it('does not pass for quiet what stock Kata may have, which takes no lease', async () => {
    await startOnXfs();
    const kata = { parameters: { consumer: 'kata' }, capacity_range: { required_bytes: SIZE } };
    const request = { name: 'source', volume_capabilities: [writer], ...kata };
    const { volume_id } = (await driver.client.call('Controller', 'CreateVolume', request)).volume;
    const { snapshot_id } = await snap('before', volume_id);
    expect(await recordOf(snapshot_id)).toMatchObject({ consistency: 'detached' });
    await driver.client.call('Node', 'NodePublishVolume', {
      ...{ volume_id, target_path: await node.target('pod-1'), staging_target_path: '/staging' },
      ...{ volume_capability: writer, volume_context: { 'csi.storage.k8s.io/pod.uid': 'pod-1' } },
    });
    const remark = expect.stringContaining('published for pod pod-1, in stock Kata');
    const [single, member] = [await snap('single', volume_id), (await takeGroup('group', volume_id)).snapshots[0]];
    for (const taken of [single, member]) {
      expect(await recordOf(taken?.snapshot_id ?? '')).toMatchObject({ consistency: 'crash', remark });
    }
  });

  it('is not taken of a pool without room, which leaves nothing and thaws the guest', async () => {
    await startOnXfs();
    const source = await create('source');
    await write(source, 'x'.repeat(32 * MIB));
    const vm = await standIn('box', [source]);
    await node.run('sh', '-c', FILL, 'sh', node.pool);
    await expect(snap('one', source)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(await snapshotsOnDisk()).toEqual([]);
    expect(vm.events.filter((event) => event.startsWith('freeze'))).toHaveLength(
      vm.events.filter((event) => event.startsWith('thaw')).length,
    );
    await node.run('rm', `${node.pool}/of-others`);
    await snap('one', source);
  });
});

describe('a pool that can only copy', () => {
  it('does so where the class allows it, of a volume that no pod uses', async () => {
    driver = await node.start();
    const source = await create('source');
    await write(source, 'before');
    const request = { name: 'one', source_volume_id: source };
    await expect(call('CreateSnapshot', request)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringContaining('allowCopy: "true"'),
    });
    const allowed = { ...request, parameters: { allowCopy: 'true' } };
    const vm = await standIn('box', [source]);
    await expect(call('CreateSnapshot', allowed)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringContaining('in use by pod pod-of-box'),
    });
    await vm.end();
    const { snapshot } = await untilDone(() => driver.client.call('Controller', 'CreateSnapshot', allowed));
    expect(await recordOf(snapshot.snapshot_id)).toMatchObject({ consistency: 'detached' });
    await write(source, 'after!');
    expect(await read(await untilDone(() => restore('restored', snapshot.snapshot_id)), 6)).toBe('before');
    await expect(takeGroup('group', source)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
  });
});

/** Long copies are ABORTED until a repeated call finds them done. */
async function untilDone<T>(body: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await body();
    } catch (error) {
      if ((error as { code?: number }).code !== status.ABORTED) throw error;
    }
  }
}

describe('a group snapshot', () => {
  it('is of all volumes, each VM frozen once for all of its own, and is there once', async () => {
    await startOnXfs();
    const [a, b, c] = [await create('a'), await create('b'), await create('c')];
    const vm = await standIn('box', [a, b]);
    const made = await takeGroup('group', a, b, c);
    expect(made).toMatchObject({ group_snapshot_id: toGroupId(toNodeKey('node-1'), 'group'), ready_to_use: true });
    expect(made.snapshots.map(({ source_volume_id }) => source_volume_id).sort()).toEqual([a, b, c]);
    expect(new Set(made.snapshots.map(({ group_snapshot_id }) => group_snapshot_id))).toEqual(
      new Set([made.group_snapshot_id]),
    );
    expect(vm.events).toEqual([`freeze ${a} ${b}`, `thaw ${a} ${b}`]);
    const records = await Promise.all(made.snapshots.map(({ snapshot_id }) => recordOf(snapshot_id)));
    const trusts = records.map(({ sourceVolumeId, consistency }) => [sourceVolumeId, consistency]);
    expect(Object.fromEntries(trusts)).toEqual({ [a]: 'frozen', [b]: 'frozen', [c]: 'detached' });

    expect(await takeGroup('group', c, b, a)).toEqual(made);
    await expect(takeGroup('group', a, b)).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
    const ids = made.snapshots.map(({ snapshot_id }) => snapshot_id);
    const { group_snapshot_id } = made;
    expect(
      (await group('GetVolumeGroupSnapshot', { group_snapshot_id, snapshot_ids: ids })) as { group_snapshot: object },
    ).toEqual({ group_snapshot: made });
    for (const snapshot_ids of [ids.slice(1), [...ids, (await snap('single', a)).snapshot_id]]) {
      for (const verb of ['GetVolumeGroupSnapshot', 'DeleteVolumeGroupSnapshot'] as const) {
        await expect(group(verb, { group_snapshot_id, snapshot_ids })).rejects.toMatchObject({
          code: status.INVALID_ARGUMENT,
          details: expect.stringContaining('snapshot_ids'),
        });
      }
    }
    await expect(call('DeleteSnapshot', { snapshot_id: ids[0] })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining(group_snapshot_id),
    });
    expect(await read(await restore('restored', ids[0] ?? ''), 1)).toBe('\0');
    await call('DeleteSnapshot', { snapshot_id: toSnapshotId('main', toNodeKey('node-1'), 'single') });
    await group('DeleteVolumeGroupSnapshot', { group_snapshot_id, snapshot_ids: ids });
    await group('DeleteVolumeGroupSnapshot', { group_snapshot_id, snapshot_ids: ids });
    expect(await snapshotsOnDisk()).toEqual([]);
    await expect(group('GetVolumeGroupSnapshot', { group_snapshot_id })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
  });

  it('is not there at all when one volume cannot be a part of it', async () => {
    await startOnXfs();
    const [a, b] = [await create('a'), await create('b')];
    const vm = await standIn('box', [a]);
    const other = await standIn('other', [b], {
      measureVolume: async () => {
        await node.run('mv', `${node.pool}/volumes/${b}/image.raw`, `${node.pool}/elsewhere`);
        return { capacityBytes: 1 };
      },
    });
    await expect(takeGroup('group', a, b)).rejects.toMatchObject({ code: status.INTERNAL });
    expect(vm.events).toEqual([`freeze ${a}`, `thaw ${a}`]);
    expect(other.events).toEqual([`freeze ${b}`, `thaw ${b}`]);
    expect(await snapshotsOnDisk()).toEqual([]);
    await other.end();
    await node.run('mv', `${node.pool}/elsewhere`, `${node.pool}/volumes/${b}/image.raw`);
    expect((await takeGroup('group', a, b)).snapshots).toHaveLength(2);
  });
});

describe('the metadata of snapshots', () => {
  const ranges = (messages: readonly { block_metadata: readonly object[] }[]) =>
    messages.flatMap(({ block_metadata }) =>
      (block_metadata as { byte_offset: string; size_bytes: string }[]).map(({ byte_offset, size_bytes }) => [
        Number(byte_offset) / MIB,
        Number(size_bytes) / MIB,
      ]),
    );

  it('name what was written, and what was written since', async () => {
    await startOnXfs();
    const source = await create('source');
    const chunk = 'x'.repeat(MIB);
    for (const offset of [0, 8, 16]) await write(source, chunk, offset * MIB);
    const base = (await snap('base', source)).snapshot_id;
    await write(source, 'y'.repeat(MIB), 8 * MIB);
    await write(source, chunk, 40 * MIB);
    const target = (await snap('target', source)).snapshot_id;

    const allocated = await driver.client.stream('GetMetadataAllocated', { snapshot_id: base });
    expect(allocated[0]).toMatchObject({
      block_metadata_type: 'VARIABLE_LENGTH',
      volume_capacity_bytes: String(SIZE),
    });
    expect(ranges(allocated)).toEqual([
      [0, 1],
      [8, 1],
      [16, 1],
    ]);
    const delta = { base_snapshot_id: base, target_snapshot_id: target };
    const changed = [
      [8, 1],
      [40, 1],
    ];
    expect(ranges(await driver.client.stream('GetMetadataDelta', delta))).toEqual(changed);
    const one = await driver.client.stream('GetMetadataDelta', { ...delta, max_results: 1 });
    expect(one.map(({ block_metadata }) => block_metadata.length)).toEqual([1, 1]);
    const later = await driver.client.stream('GetMetadataDelta', { ...delta, starting_offset: 9 * MIB });
    expect(ranges(later)).toEqual([[40, 1]]);
    const same = { base_snapshot_id: base, target_snapshot_id: base };
    expect(await driver.client.stream('GetMetadataDelta', same)).toMatchObject([{ block_metadata: [] }]);
  });

  it('are refused by the tables of the specification', async () => {
    await startOnXfs();
    const [a, b] = [await create('a'), await create('b')];
    const [base, stranger] = [(await snap('a', a)).snapshot_id, (await snap('b', b)).snapshot_id];
    const { stream } = driver.client;
    const both = { base_snapshot_id: base, target_snapshot_id: base };
    for (const [verb, request, code] of [
      ['GetMetadataAllocated', {}, status.INVALID_ARGUMENT],
      ['GetMetadataAllocated', { snapshot_id: 'none' }, status.NOT_FOUND],
      ['GetMetadataAllocated', { snapshot_id: base, starting_offset: -1 }, status.OUT_OF_RANGE],
      ['GetMetadataAllocated', { snapshot_id: base, starting_offset: SIZE + 1 }, status.OUT_OF_RANGE],
      ['GetMetadataAllocated', { snapshot_id: base, max_results: -1 }, status.INVALID_ARGUMENT],
      ['GetMetadataDelta', { ...both, base_snapshot_id: '' }, status.INVALID_ARGUMENT],
      ['GetMetadataDelta', { ...both, target_snapshot_id: '' }, status.INVALID_ARGUMENT],
      ['GetMetadataDelta', { ...both, base_snapshot_id: 'none' }, status.NOT_FOUND],
      ['GetMetadataDelta', { ...both, target_snapshot_id: 'none' }, status.NOT_FOUND],
      ['GetMetadataDelta', { ...both, base_snapshot_id: stranger }, status.INVALID_ARGUMENT],
      ['GetMetadataDelta', { ...both, starting_offset: SIZE + 1 }, status.OUT_OF_RANGE],
    ] as const) {
      await expect(stream(verb, request), `${verb} ${JSON.stringify(request)}`).rejects.toMatchObject({ code });
    }
    expect(await stream('GetMetadataAllocated', { snapshot_id: base, starting_offset: SIZE })).toHaveLength(1);
  });
});

describe('requests', () => {
  it('are refused by the tables of the specification, each with the field', async () => {
    await startOnXfs();
    const source = await create('source');
    const absent = toVolumeId('main', toNodeKey('node-1'), 'absent');
    const away = toVolumeId('main', elsewhere, 'away');
    const { INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION } = status;
    for (const [verb, request, code, words] of [
      ['CreateSnapshot', { source_volume_id: source }, INVALID_ARGUMENT, 'name is required'],
      ['CreateSnapshot', { name: 'n' }, INVALID_ARGUMENT, 'source_volume_id is required'],
      ['CreateSnapshot', { name: 'n', source_volume_id: absent }, NOT_FOUND, 'there is no volume'],
      ['CreateSnapshot', { name: 'n', source_volume_id: 'x' }, NOT_FOUND, 'there is no volume'],
      ['CreateSnapshot', { name: 'n', source_volume_id: away }, NOT_FOUND, 'lives on the node of key'],
      [
        'CreateSnapshot',
        { name: 'n', source_volume_id: source, parameters: { speed: 'high' } },
        INVALID_ARGUMENT,
        'parameters["speed"] is unknown',
      ],
      ['DeleteSnapshot', {}, INVALID_ARGUMENT, 'snapshot_id is required'],
      [
        'DeleteSnapshot',
        { snapshot_id: toSnapshotId('main', elsewhere, 'n') },
        FAILED_PRECONDITION,
        'lives on the node of key',
      ],
      [
        'DeleteSnapshot',
        { snapshot_id: toSnapshotId('other', toNodeKey('node-1'), 'n') },
        FAILED_PRECONDITION,
        'lives in pool other',
      ],
      ['GetSnapshot', {}, INVALID_ARGUMENT, 'snapshot_id is required'],
      ['GetSnapshot', { snapshot_id: 'none' }, NOT_FOUND, 'there is no snapshot none'],
    ] as const) {
      const answer = call(verb, request);
      await expect(answer, `${verb} ${JSON.stringify(request)}`).rejects.toMatchObject({
        code,
        details: expect.stringContaining(words),
      });
    }
    for (const [verb, request, code, words] of [
      ['CreateVolumeGroupSnapshot', { source_volume_ids: [source] }, INVALID_ARGUMENT, 'name is required'],
      ['CreateVolumeGroupSnapshot', { name: 'n' }, INVALID_ARGUMENT, 'source_volume_ids is required'],
      [
        'CreateVolumeGroupSnapshot',
        { name: 'n', source_volume_ids: [source, source] },
        INVALID_ARGUMENT,
        'source_volume_ids[1]',
      ],
      [
        'CreateVolumeGroupSnapshot',
        { name: 'n', source_volume_ids: [source], parameters: { allowCopy: 'true' } },
        INVALID_ARGUMENT,
        'parameters["allowCopy"]',
      ],
      ['CreateVolumeGroupSnapshot', { name: 'n', source_volume_ids: [source, absent] }, NOT_FOUND, 'no volume'],
      ['CreateVolumeGroupSnapshot', { name: 'n', source_volume_ids: [away] }, FAILED_PRECONDITION, 'one node'],
      ['DeleteVolumeGroupSnapshot', {}, INVALID_ARGUMENT, 'group_snapshot_id is required'],
      [
        'DeleteVolumeGroupSnapshot',
        { group_snapshot_id: toGroupId(elsewhere, 'n') },
        FAILED_PRECONDITION,
        'lives on the node of key',
      ],
      ['GetVolumeGroupSnapshot', {}, INVALID_ARGUMENT, 'group_snapshot_id is required'],
      ['GetVolumeGroupSnapshot', { group_snapshot_id: 'none' }, NOT_FOUND, 'there is no group snapshot none'],
    ] as const) {
      const answer = group(verb, request);
      await expect(answer, `${verb} ${JSON.stringify(request)}`).rejects.toMatchObject({
        code,
        details: expect.stringContaining(words),
      });
    }
    await call('DeleteSnapshot', { snapshot_id: 'none' });
    await group('DeleteVolumeGroupSnapshot', { group_snapshot_id: 'none' });
    expect(await snapshotsOnDisk()).toEqual([]);
  });

  it('exclude one another on a snapshot and on its source', async () => {
    await startOnXfs();
    const source = await create('source');
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let frozen = (): void => {};
    const isFrozen = new Promise<void>((resolve) => {
      frozen = resolve;
    });
    await standIn('box', [source], {
      freezeVolumes: async () => {
        frozen();
        await released;
        return {};
      },
    });
    const first = snap('one', source);
    await isFrozen;
    for (const second of [
      () => snap('one', source),
      () => snap('two', source),
      () => takeGroup('group', source),
      () => driver.client.call('Controller', 'DeleteVolume', { volume_id: source }),
    ]) {
      await expect(second()).rejects.toMatchObject({
        code: status.ABORTED,
        details: expect.stringContaining('CreateSnapshot is at work on'),
      });
    }
    release();
    expect((await first).ready_to_use).toBe(true);
  });
});

it('a snapshot whose record cannot be read is there all the same, and in nobody else’s way', async () => {
  await startOnXfs();
  const source = await create('source');
  const [broken, whole] = [(await snap('broken', source)).snapshot_id, (await snap('whole', source)).snapshot_id];
  await driver.stop();
  await truncate(inPool('snapshots', broken, SNAPSHOT_FILES.record), 10);
  driver = await node.start();
  expect(await listed()).toEqual([whole]);
  await expect(call('GetSnapshot', { snapshot_id: broken })).rejects.toMatchObject({ code: status.INTERNAL });
  await expect(snap('broken', source)).rejects.toMatchObject({ code: status.INTERNAL });
});
