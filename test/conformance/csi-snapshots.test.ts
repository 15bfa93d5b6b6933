import { truncate } from 'node:fs/promises';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MIB, SIZE, SnapshotNode, WRITER } from '../support/snapshot-node.ts';

/** All but some MiB, which a file system keeps for itself. */
const FILL = 'fallocate -l $(($(df --output=avail -B1 "$1" | tail -1) - 16777216)) "$1/of-others"';

let at: SnapshotNode;
beforeEach(async () => {
  at = await SnapshotNode.create();
});
afterEach(() => at.close());

const call = (verb: 'CreateSnapshot' | 'DeleteSnapshot' | 'ListSnapshots' | 'GetSnapshot', request: object) =>
  at.driver.client.call('Controller', verb, request);

async function listed(request: object = {}): Promise<string[]> {
  const { entries } = await at.driver.client.call('Controller', 'ListSnapshots', request);
  return entries.map(({ snapshot }) => snapshot.snapshot_id);
}

describe('a snapshot', () => {
  it('keeps what the volume held, makes volumes of it, and outlives its source', async () => {
    await at.startOnXfs();
    const source = await at.create('source');
    await at.write(source, 'before');
    const snapshot = await at.snap('one', source);
    expect(snapshot).toMatchObject({ source_volume_id: source, size_bytes: String(SIZE), ready_to_use: true });
    expect(Math.abs(Number(snapshot.creation_time.seconds) - Date.now() / 1000)).toBeLessThan(60);
    await at.write(source, 'after!');
    const restored = await at.restore('restored', snapshot.snapshot_id);
    expect([await at.read(source, 6), await at.read(restored, 6)]).toEqual(['after!', 'before']);
    expect(await at.recordOf(snapshot.snapshot_id)).toMatchObject({ consistency: 'detached', remark: '' });

    await at.driver.client.call('Controller', 'DeleteVolume', { volume_id: source });
    await at.write(restored, 'mine..');
    expect(await at.read(await at.restore('again', snapshot.snapshot_id), 6)).toBe('before');
    await call('DeleteSnapshot', { snapshot_id: snapshot.snapshot_id });
    await call('DeleteSnapshot', { snapshot_id: snapshot.snapshot_id });
    expect(await at.read(restored, 6)).toBe('mine..');
    expect(await at.snapshotsOnDisk()).toEqual([]);
  });

  it('of a name is there once: the same request finds it, also without its source and after a restart', async () => {
    await at.startOnXfs();
    const [source, other] = [await at.create('source'), await at.create('other')];
    const first = await at.snap('one', source);
    expect(await at.snap('one', source)).toEqual(first);
    await expect(at.snap('one', other)).rejects.toMatchObject({
      code: status.ALREADY_EXISTS,
      details: expect.stringContaining(`of volume ${source}`),
    });
    await at.driver.client.call('Controller', 'DeleteVolume', { volume_id: source });
    await at.driver.crash();
    await at.start();
    expect(await at.snap('one', source)).toEqual(first);
    expect(
      (await at.driver.client.call('Controller', 'GetSnapshot', { snapshot_id: first.snapshot_id })).snapshot,
    ).toEqual(first);
  });

  it('is found by filters and in pages that survive what comes and goes', async () => {
    await at.startOnXfs();
    const [a, b] = [await at.create('a'), await at.create('b')];
    const ids: string[] = [];
    for (const name of ['s1', 's2', 's3', 's4', 's5']) {
      ids.push((await at.snap(name, name === 's2' ? b : a)).snapshot_id);
    }
    expect(await listed()).toEqual(ids);
    expect(await listed({ source_volume_id: b })).toEqual([ids[1]]);
    expect(await listed({ snapshot_id: ids[2] })).toEqual([ids[2]]);
    expect(await listed({ snapshot_id: ids[2], source_volume_id: b })).toEqual([]);
    expect(await listed({ snapshot_id: 'none' })).toEqual([]);
    expect(await listed({ source_volume_id: 'none' })).toEqual([]);
    const first = await at.driver.client.call('Controller', 'ListSnapshots', { max_entries: 2 });
    expect(first.entries.map(({ snapshot }) => snapshot.snapshot_id)).toEqual(ids.slice(0, 2));
    await call('DeleteSnapshot', { snapshot_id: ids[1] });
    await at.snap('s0', a);
    const rest = { max_entries: 3, starting_token: first.next_token };
    expect(await at.driver.client.call('Controller', 'ListSnapshots', rest)).toMatchObject({ next_token: '' });
    expect(await listed(rest)).toEqual(ids.slice(2));
    await expect(call('ListSnapshots', { starting_token: 'invalid' })).rejects.toMatchObject({ code: status.ABORTED });
    await expect(call('ListSnapshots', { max_entries: -1 })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('of a volume that a VM has is taken while its guest is frozen', async () => {
    await at.startOnXfs();
    const source = await at.create('source');
    const vm = await at.standIn('box', [source]);
    const { snapshot_id } = await at.snap('one', source);
    expect(vm.events).toEqual([`freeze ${source}`, `thaw ${source}`]);
    expect(await at.recordOf(snapshot_id)).toMatchObject({ consistency: 'frozen', remark: '' });
    await vm.end();
    expect(await at.recordOf((await at.snap('two', source)).snapshot_id)).toMatchObject({ consistency: 'detached' });
  });

  it('says in its record and in the log when the guest did not stay frozen', async () => {
    await at.startOnXfs();
    const source = await at.create('source');
    await at.standIn('box', [source], { thawVolumes: async () => ({ wasHeld: false }) });
    const { snapshot_id } = await at.snap('one', source);
    const remark = 'its guest had thawed by itself before the copy was whole';
    expect(await at.recordOf(snapshot_id)).toMatchObject({ consistency: 'crash', remark });
    expect(at.driver.log.some((line) => line.includes('"warn"') && line.includes(remark))).toBe(true);
  });

  it('does not pass for quiet what stock Kata may have, which takes no lease', async () => {
    await at.startOnXfs();
    const kata = { parameters: { consumer: 'kata' }, capacity_range: { required_bytes: SIZE } };
    const request = { name: 'source', volume_capabilities: [WRITER], ...kata };
    const { volume_id } = (await at.driver.client.call('Controller', 'CreateVolume', request)).volume;
    const { snapshot_id } = await at.snap('before', volume_id);
    expect(await at.recordOf(snapshot_id)).toMatchObject({ consistency: 'detached' });
    await at.driver.client.call('Node', 'NodePublishVolume', {
      ...{ volume_id, target_path: await at.node.target('pod-1'), staging_target_path: '/staging' },
      ...{ volume_capability: WRITER, volume_context: { 'csi.storage.k8s.io/pod.uid': 'pod-1' } },
    });
    const remark = expect.stringContaining('published for pod pod-1, in stock Kata');
    const [single, member] = [
      await at.snap('single', volume_id),
      (await at.takeGroup('group', volume_id)).snapshots[0],
    ];
    for (const taken of [single, member]) {
      expect(await at.recordOf(taken?.snapshot_id ?? '')).toMatchObject({ consistency: 'crash', remark });
    }
  });

  it('is not taken of a pool without room, which leaves nothing and thaws the guest', async () => {
    await at.startOnXfs();
    const source = await at.create('source');
    await at.write(source, 'x'.repeat(32 * MIB));
    const vm = await at.standIn('box', [source]);
    await at.node.run('sh', '-c', FILL, 'sh', at.node.pool);
    await expect(at.snap('one', source)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(await at.snapshotsOnDisk()).toEqual([]);
    expect(vm.events.filter((event) => event.startsWith('freeze'))).toHaveLength(
      vm.events.filter((event) => event.startsWith('thaw')).length,
    );
    await at.node.run('rm', `${at.node.pool}/of-others`);
    await at.snap('one', source);
  });
});

describe('a pool that can only copy', () => {
  it('does so where the class allows it, of a volume that no pod uses', async () => {
    await at.start();
    const source = await at.create('source');
    await at.write(source, 'before');
    const request = { name: 'one', source_volume_id: source };
    await expect(call('CreateSnapshot', request)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringContaining('allowCopy: "true"'),
    });
    const allowed = { ...request, parameters: { allowCopy: 'true' } };
    const vm = await at.standIn('box', [source]);
    await expect(call('CreateSnapshot', allowed)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringContaining('in use by pod pod-of-box'),
    });
    await vm.end();
    const { snapshot } = await untilDone(() => at.driver.client.call('Controller', 'CreateSnapshot', allowed));
    expect(await at.recordOf(snapshot.snapshot_id)).toMatchObject({ consistency: 'detached' });
    await at.write(source, 'after!');
    expect(await at.read(await untilDone(() => at.restore('restored', snapshot.snapshot_id)), 6)).toBe('before');
    await expect(at.takeGroup('group', source)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
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

it('a snapshot whose record cannot be read is there all the same, and in nobody else’s way', async () => {
  await at.startOnXfs();
  const source = await at.create('source');
  const [broken, whole] = [(await at.snap('broken', source)).snapshot_id, (await at.snap('whole', source)).snapshot_id];
  await at.driver.stop();
  await truncate(at.recordPath(broken), 10);
  await at.start();
  expect(await listed()).toEqual([whole]);
  await expect(call('GetSnapshot', { snapshot_id: broken })).rejects.toMatchObject({ code: status.INTERNAL });
  await expect(at.snap('broken', source)).rejects.toMatchObject({ code: status.INTERNAL });
});
