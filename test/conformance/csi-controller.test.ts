import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Fault } from '../../proto/fault.ts';
import { volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { VOLUME_FILES, volumeSpecRecord } from '../../proto/volume-spec.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';
import { startStandInVm } from '../support/stand-in-vm.ts';
import { mountXfsPool } from '../support/xfs-pool.ts';

const MIB = 1 << 20;
const writer = { mount: { fs_type: '' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
const block = { block: {}, access_mode: { mode: 'SINGLE_NODE_WRITER' } };

let node: CsiNode;
let driver: CsiProcess;
beforeAll(async () => {
  node = await createCsiNode();
  await mountXfsPool(node);
  driver = await node.start();
});
afterAll(async () => {
  await driver?.stop();
  await node?.close();
});
afterEach(async () => {
  for (const { volume } of (await controller('ListVolumes')).entries) {
    await controller('DeleteVolume', { volume_id: volume.volume_id });
  }
});

type Verb =
  | 'CreateVolume'
  | 'ControllerExpandVolume'
  | 'ControllerGetVolume'
  | 'ControllerModifyVolume'
  | 'ControllerPublishVolume'
  | 'ControllerUnpublishVolume'
  | 'DeleteVolume'
  | 'GetCapacity'
  | 'ListVolumes';

function controller<V extends Verb>(verb: V, request: object = {}) {
  return driver.client.call('Controller', verb, request);
}

async function make(name: string, more: object = {}) {
  const request = { name, capacity_range: { required_bytes: 64 * MIB }, volume_capabilities: [writer], ...more };
  return (await controller('CreateVolume', request)).volume;
}
const create = async (name: string, more?: object): Promise<string> => (await make(name, more)).volume_id;

const pathOf = (volumeId: string, file: string): string => `${node.root}${node.pool}/volumes/${volumeId}/${file}`;
const specOf = async (volumeId: string) =>
  volumeSpecRecord.decode(await readFile(pathOf(volumeId, VOLUME_FILES.spec), 'utf8'), 'spec.json');

describe('CreateVolume', () => {
  it('records what the class says, and finds it again only where it says the same', async () => {
    const parameters = { cache: 'none', queues: '2', mkfsOptions: '-b 4096', iops: '100' };
    const mutable_parameters = { bandwidth: '10Mi' };
    const volumeId = await create('classy', { parameters, mutable_parameters });
    expect(await specOf(volumeId)).toMatchObject({
      class: { cache: 'none', queues: 2, mkfsOptions: ['-b', '4096'], aio: 'threads' },
      limits: { iops: 100, bandwidthBytes: 10 * MIB },
    });
    expect(await create('classy', { parameters, mutable_parameters })).toBe(volumeId);
    await expect(create('classy', { parameters: { ...parameters, queues: '3' } })).rejects.toMatchObject({
      code: status.ALREADY_EXISTS,
      details: expect.stringContaining('its queues is 2, not 3'),
    });
  });

  it('says where the volume is accessible', async () => {
    const here = { segments: { 'csi.berth.dev/node': 'node-1' } };
    const volume = await make('here', { accessibility_requirements: { requisite: [here], preferred: [here] } });
    expect(volume.accessible_topology).toEqual([here]);
  });

  it('makes a volume for a block device, as small as one may be', async () => {
    const volume = await make('raw', { volume_capabilities: [block], capacity_range: { required_bytes: 1 } });
    expect(volume.capacity_bytes).toBe(String(MIB));
  });

  it('copies a volume, as large or larger, and needs the source once', async () => {
    const source = await create('source');
    await writeFile(pathOf(source, VOLUME_FILES.image), 'content', { flag: 'r+' });
    const volume_content_source = { volume: { volume_id: source } };
    const copy = await make('copy', { volume_content_source, capacity_range: { required_bytes: 100 * MIB } });
    expect(copy).toMatchObject({ capacity_bytes: String(100 * MIB), content_source: volume_content_source });
    const image = await readFile(pathOf(copy.volume_id, VOLUME_FILES.image));
    expect([image.length, image.toString('utf8', 0, 7)]).toEqual([100 * MIB, 'content']);
    const same = await make('same-size', { volume_content_source, capacity_range: undefined });
    expect(same.capacity_bytes).toBe(String(64 * MIB));

    const small = create('small', { volume_content_source, capacity_range: { limit_bytes: 63 * MIB } });
    await expect(small).rejects.toMatchObject({ code: status.OUT_OF_RANGE });
    const other = create('other', {
      volume_content_source,
      volume_capabilities: [{ ...writer, mount: { fs_type: 'xfs' } }],
    });
    await expect(other).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining('has ext4 on it, but the request asks for xfs'),
    });
    await controller('DeleteVolume', { volume_id: source });
    const again = { volume_content_source, capacity_range: { required_bytes: 100 * MIB } };
    expect(await create('copy', again)).toBe(copy.volume_id);
    await expect(create('copy')).rejects.toMatchObject({
      code: status.ALREADY_EXISTS,
      details: expect.stringContaining(`it was made a copy of volume ${source}, not blank`),
    });
    await expect(create('late', again)).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  it.each([
    ['volume', 'volume_id', 'no-such-volume', status.NOT_FOUND],
    ['snapshot', 'snapshot_id', 'no-such-snapshot', status.NOT_FOUND],
    ['volume', 'volume_id', 'main.0123456789ab.v', status.RESOURCE_EXHAUSTED],
    ['snapshot', 'snapshot_id', 'main.0123456789ab.s_v', status.RESOURCE_EXHAUSTED],
  ])('refuses the source %s %s %s', async (kind, key, id, code) => {
    const call = create('orphan', { volume_content_source: { [kind]: { [key]: id } } });
    await expect(call).rejects.toMatchObject({ code, details: expect.stringContaining(id) });
  });

  it('freezes the guest that has the source', async () => {
    const source = await create('busy-source');
    const vm = await startStandInVm(node, 'sandbox-1', [source]);
    const copy = await create('busy-copy', { volume_content_source: { volume: { volume_id: source } } });
    expect(vm.events).toEqual([`freeze ${source}`, `thaw ${source}`]);
    await vm.end();
    await controller('DeleteVolume', { volume_id: copy });
  });
});

it('a guest that cannot be frozen keeps nobody from a copy, which the log calls what it is', async () => {
  const source = await create('cold-source');
  const vm = await startStandInVm(node, 'sandbox-5', [source], {
    freezeVolumes: async () => {
      throw new Fault('timeout', 'the guest hangs');
    },
  });
  await create('cold-copy', { volume_content_source: { volume: { volume_id: source } } });
  await vm.end();
  const [warning] = driver.log.filter((line) => line.includes('the copy is as after a power cut'));
  expect(warning).toContain('its guest could not be frozen');
});

describe('ControllerExpandVolume', () => {
  const expand = (volume_id: string, required: number, limit = 0) =>
    controller('ControllerExpandVolume', {
      volume_id,
      capacity_range: { required_bytes: required, limit_bytes: limit },
    });

  it('grows the disk, in use or not, and never shrinks it', async () => {
    const volumeId = await create('grows');
    const vm = await startStandInVm(node, 'sandbox-2', [volumeId]);
    for (let twice = 0; twice < 2; twice += 1) {
      const grown = await expand(volumeId, 100 * MIB + 1);
      expect(grown).toEqual({ capacity_bytes: String(101 * MIB), node_expansion_required: true });
    }
    await vm.end();
    expect(await expand(volumeId, 64 * MIB)).toMatchObject({ capacity_bytes: String(101 * MIB) });
    expect((await specOf(volumeId)).capacityBytes).toBe(101 * MIB);
    expect((await stat(pathOf(volumeId, VOLUME_FILES.image))).size).toBe(101 * MIB);
    const { volume } = await controller('ControllerGetVolume', { volume_id: volumeId });
    expect(volume.capacity_bytes).toBe(String(101 * MIB));
  });

  it('refuses what cannot be had', async () => {
    const volumeId = await create('grows-not');
    await expect(expand(volumeId, 0, 63 * MIB)).rejects.toMatchObject({ code: status.OUT_OF_RANGE });
    await expect(expand(volumeId, 2 ** 50)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect((await specOf(volumeId)).capacityBytes).toBe(64 * MIB);
  });
});

describe('ControllerModifyVolume', () => {
  const modify = (volume_id: string, mutable_parameters: object) =>
    controller('ControllerModifyVolume', { volume_id, mutable_parameters });

  it('changes what is named, in the record and in the VM, and keeps it over a restart', async () => {
    const volumeId = await create('limited', { parameters: { iops: '100' } });
    await modify(volumeId, { bandwidth: '1Mi' });
    expect((await specOf(volumeId)).limits).toEqual({ iops: 100, bandwidthBytes: MIB });
    const told: object[] = [];
    const vm = await startStandInVm(node, 'sandbox-3', [volumeId], {
      throttleVolume: async (request) => {
        told.push({ ...request });
        return {};
      },
    });
    for (let twice = 0; twice < 2; twice += 1) await modify(volumeId, { iops: '0' });
    await vm.end();
    const limits = { iops: 0, bandwidthBytes: MIB };
    expect(told).toEqual([
      { volumeId, ...limits },
      { volumeId, ...limits },
    ]);
    await driver.stop();
    driver = await node.start();
    expect((await specOf(volumeId)).limits).toEqual(limits);
    await modify(volumeId, {});
    expect((await specOf(volumeId)).limits).toEqual(limits);
    // The name finds the volume, whatever its limits have become.
    expect(await create('limited', { parameters: { iops: '100' } })).toBe(volumeId);
  });

  it('is to be repeated while the VM cannot be told', async () => {
    const volumeId = await create('untold');
    const vm = await startStandInVm(node, 'sandbox-4', [volumeId], {
      throttleVolume: async () => {
        throw new Fault('not-found', 'it is not attached yet');
      },
    });
    await expect(modify(volumeId, { iops: '5' })).rejects.toMatchObject({
      code: status.ABORTED,
      details: expect.stringContaining('the VM of pod pod-of-sandbox-4 has volume'),
    });
    await vm.end();
    await modify(volumeId, { iops: '5' });
  });
});

describe('ListVolumes', () => {
  it('goes on where a page ended, whatever came or went', async () => {
    const ids = await Promise.all(['a', 'b', 'c', 'e'].map((name) => create(name)));
    const first = await controller('ListVolumes', { max_entries: 2 });
    expect(first.entries.map(({ volume }) => volume.volume_id)).toEqual(ids.slice(0, 2));
    await controller('DeleteVolume', { volume_id: first.next_token });
    const added = await create('d');
    const second = await controller('ListVolumes', { max_entries: 2, starting_token: first.next_token });
    expect(second.entries.map(({ volume }) => volume.volume_id)).toEqual([ids[2], added]);
    const last = await controller('ListVolumes', { starting_token: second.next_token });
    expect(last).toMatchObject({ entries: [{ volume: { volume_id: ids[3] } }], next_token: '' });
    expect(await controller('ListVolumes', { starting_token: ids[3] })).toEqual({ entries: [], next_token: '' });
  });

  it.each(['7', 'main.0123456789ab', '../x'])('refuses the token %s', async (starting_token) => {
    await expect(controller('ListVolumes', { starting_token })).rejects.toMatchObject({ code: status.ABORTED });
  });

  it('and ControllerGetVolume show what is wrong with a volume', async () => {
    const [well, ill] = [await create('well'), await create('ill')];
    const problem = 'ext4 needs a repair by hand: berth volume fsck';
    await writeFile(
      pathOf(ill, VOLUME_FILES.filesystem),
      volumeFilesystemRecord.encode({ state: 'formatted', uuid: 'u', formattedAtMs: 1, problem }),
    );
    const { entries } = await controller('ListVolumes');
    expect(
      Object.fromEntries(
        entries.map(({ volume, status: { volume_condition } }) => [volume.volume_id, volume_condition]),
      ),
    ).toEqual({
      [ill]: { abnormal: true, message: problem },
      [well]: { abnormal: false, message: 'no problem is known' },
    });
    const { status: found } = await controller('ControllerGetVolume', { volume_id: ill });
    expect(found).toEqual({ published_node_ids: [], volume_condition: { abnormal: true, message: problem } });
  });
});

describe('GetCapacity', () => {
  it('is what CreateVolume gives', async () => {
    const { available_capacity, maximum_volume_size, minimum_volume_size } = await controller('GetCapacity', {
      parameters: { pool: 'main', 'csi.storage.k8s.io/fstype': 'xfs' },
    });
    expect(Number(available_capacity)).toBeGreaterThan(7 * 1024 * MIB);
    expect(minimum_volume_size).toEqual({ value: String(300 * MIB) });
    const most = Math.floor(Number(maximum_volume_size.value) / MIB) * MIB;
    await expect(create('too-large', { capacity_range: { required_bytes: most + MIB } })).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
    const all = await make('largest', { capacity_range: { required_bytes: most } });
    const left = await controller('GetCapacity');
    expect(Number(left.available_capacity)).toBeLessThan(MIB);
    await controller('DeleteVolume', { volume_id: all.volume_id });
  });

  it.each([
    ['another node', { accessible_topology: { segments: { 'csi.berth.dev/node': 'node-2' } } }],
    ['a pool that this node has not', { parameters: { pool: 'other' } }],
    [
      'a capability that no volume has',
      { volume_capabilities: [{ ...writer, access_mode: { mode: 'MULTI_NODE_MULTI_WRITER' } }] },
    ],
  ])('is nothing for %s', async (_, request) => {
    expect(await controller('GetCapacity', request)).toMatchObject({ available_capacity: '0' });
  });
});

it("a volume whose record is broken keeps its data and its name, and is in nobody else's way", async () => {
  const volumeId = await create('broken');
  const spec = pathOf(volumeId, VOLUME_FILES.spec);
  const text = await readFile(spec, 'utf8');
  await writeFile(spec, '{');
  await driver.stop();
  driver = await node.start();
  expect(driver.log.join('\n')).toContain(`volumes/${volumeId}/spec.json`);
  await create('whole');
  await expect(create('broken')).rejects.toMatchObject({ code: status.INTERNAL });
  await expect(controller('ControllerGetVolume', { volume_id: volumeId })).rejects.toMatchObject({
    code: status.INTERNAL,
    details: expect.stringContaining('spec.json'),
  });
  expect((await stat(pathOf(volumeId, VOLUME_FILES.image))).size).toBe(64 * MIB);
  await writeFile(spec, text);
  await driver.stop();
  driver = await node.start();
  expect(await create('broken')).toBe(volumeId);
});

describe('with --controller-publish', () => {
  const publish = (volume_id: string, more: object = {}) =>
    controller('ControllerPublishVolume', { volume_id, node_id: 'node-1', volume_capability: writer, ...more });
  const flags = { 'controller-publish': '', 'max-volumes-per-node': '2' };
  const restart = async (given: Record<string, string>): Promise<void> => {
    await driver.stop();
    driver = await node.start(given);
  };
  beforeAll(() => restart(flags));
  afterAll(() => restart({}));

  it('keeps record of the node, over restarts, until it is taken back', async () => {
    const volumeId = await create('published');
    for (let twice = 0; twice < 2; twice += 1) expect(await publish(volumeId)).toEqual({ publish_context: {} });
    await restart(flags);
    const { entries } = await controller('ListVolumes');
    expect(entries).toMatchObject([{ status: { published_node_ids: ['node-1'] } }]);
    await expect(controller('DeleteVolume', { volume_id: volumeId })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringContaining('is published to node node-1'),
    });
    await controller('ControllerUnpublishVolume', { volume_id: volumeId, node_id: 'node-2' });
    await expect(controller('DeleteVolume', { volume_id: volumeId })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
    });
    for (let twice = 0; twice < 2; twice += 1) {
      await controller('ControllerUnpublishVolume', { volume_id: volumeId, node_id: '' });
    }
    expect((await controller('ControllerGetVolume', { volume_id: volumeId })).status.published_node_ids).toEqual([]);
  });

  it('refuses another way to publish it, another node, and more than there may be', async () => {
    const [one, two, three] = [await create('p1'), await create('p2'), await create('p3')];
    await publish(one);
    await expect(publish(one, { readonly: true })).rejects.toMatchObject({
      code: status.ALREADY_EXISTS,
      details: expect.stringContaining('with readOnly false, not true'),
    });
    await expect(publish(one, { volume_capability: block })).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
    await expect(publish(two, { node_id: 'node-2' })).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(publish('no-such-volume')).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(publish(two, { node_id: '' })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    await expect(publish(two, { volume_capability: undefined })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
    await publish(two);
    await expect(publish(three)).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringContaining('--max-volumes-per-node'),
    });
    for (const volume_id of [one, two]) await controller('ControllerUnpublishVolume', { volume_id, node_id: 'node-1' });
    await publish(three);
    await controller('ControllerUnpublishVolume', { volume_id: three, node_id: 'node-1' });
    expect(await controller('ControllerUnpublishVolume', { volume_id: 'no-such-volume', node_id: 'node-1' })).toEqual(
      {},
    );
  });
});

describe('with two pools', () => {
  beforeAll(async () => {
    const second = `${node.scratch}/second`;
    await mkdir(second);
    await driver.stop();
    driver = await node.start({ [`pool=second=image-file:${second}`]: '' }); // beside the usual one
  });
  afterAll(async () => {
    await driver.stop();
    driver = await node.start();
  });

  it('the class says which, but a copy stays with its source', async () => {
    await expect(create('homeless')).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: 'parameters["pool"] is required, as this node has several pools: main, second',
    });
    const source = await create('source', { parameters: { pool: 'second' } });
    expect(source).toMatch(/^second\./);
    const volume_content_source = { volume: { volume_id: source } };
    expect(await create('copy', { volume_content_source })).toMatch(/^second\./);
    const astray = create('astray', { volume_content_source, parameters: { pool: 'main' } });
    await expect(astray).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining('is in pool second, and can be copied only there'),
    });
    const listed = (await controller('ListVolumes')).entries.map(({ volume }) => volume.volume_id);
    expect(listed).toEqual([await create('copy', { volume_content_source }), source]);
  });

  it('a name is taken once', async () => {
    await create('one', { parameters: { pool: 'second' } });
    await expect(create('one', { parameters: { pool: 'main' } })).rejects.toMatchObject({
      code: status.ALREADY_EXISTS,
      details: expect.stringContaining('it is in pool second, not main'),
    });
  });
});
