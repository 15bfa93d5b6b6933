import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, credentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';

const MIB = 1024 ** 2;
const writer = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
const invalid = status.INVALID_ARGUMENT;

let node: CsiNode;
let driver: CsiProcess;
beforeAll(async () => {
  node = await createCsiNode();
  driver = await node.start();
});
afterAll(async () => {
  await driver?.stop();
  await node?.close();
});

const create = (request: object) =>
  driver.client.call('Controller', 'CreateVolume', { volume_capabilities: [writer], ...request });

describe('malformed requests', () => {
  const pub = { volume_id: 'v', staging_target_path: '/s', target_path: '/t', volume_capability: writer };
  const stage = { volume_id: 'v', staging_target_path: '/s', volume_capability: writer };
  const made = { name: 'n', volume_capabilities: [writer] };
  const multi = { ...writer, access_mode: { mode: 'MULTI_NODE_MULTI_WRITER' } };

  it.each([
    ['Controller', 'CreateVolume', { ...made, name: '' }, 'name is required'],
    ['Controller', 'CreateVolume', { ...made, name: 'n'.repeat(129) }, 'name has 129 bytes'],
    ['Controller', 'CreateVolume', { ...made, name: 'a\u0007' }, 'name has a control character'],
    ['Controller', 'CreateVolume', { name: 'n' }, 'volume_capabilities is required'],
    [
      'Controller',
      'CreateVolume',
      { name: 'n', volume_capabilities: [writer, {}] },
      'volume_capabilities[1].access_type',
    ],
    [
      'Controller',
      'CreateVolume',
      { name: 'n', volume_capabilities: [{ mount: {} }] },
      'volume_capabilities[0].access_mode is required',
    ],
    [
      'Controller',
      'CreateVolume',
      { name: 'n', volume_capabilities: [multi] },
      'volume_capabilities[0].access_mode.mode',
    ],
    [
      'Controller',
      'CreateVolume',
      { ...made, capacity_range: { required_bytes: -1 } },
      'capacity_range.required_bytes',
    ],
    ['Controller', 'CreateVolume', { ...made, parameters: { shape: 'round' } }, 'parameters["shape"] is unknown'],
    ['Controller', 'CreateVolume', { ...made, parameters: { pool: 'no/pool' } }, 'parameters["pool"] is "no/pool"'],
    ['Controller', 'CreateVolume', { ...made, parameters: { aio: 'native' } }, 'which needs cache none'],
    [
      'Controller',
      'CreateVolume',
      { ...made, parameters: { 'csi.storage.k8s.io/fstype': 'xfs' } },
      'volume_capabilities[0].mount.fs_type is ext4, but the request also asks for xfs',
    ],
    [
      'Controller',
      'CreateVolume',
      { ...made, volume_content_source: {} },
      'volume_content_source.type is required (snapshot or volume)',
    ],
    [
      'Controller',
      'CreateVolume',
      { ...made, volume_content_source: { volume: {} } },
      'volume_content_source.volume.volume_id is required',
    ],
    ['Controller', 'CreateVolume', { ...made, mutable_parameters: { cache: 'none' } }, 'mutable_parameters["cache"]'],
    [
      'Controller',
      'CreateVolume',
      { ...made, parameters: { consumer: 'kata' }, mutable_parameters: { iops: '1' } },
      'mutable_parameters cannot be honoured with consumer kata',
    ],
    ['Controller', 'ListVolumes', { max_entries: -1 }, 'max_entries is negative'],
    ['Controller', 'ControllerGetVolume', {}, 'volume_id is required'],
    ['Controller', 'GetCapacity', { parameters: { shape: 'round' } }, 'parameters["shape"] is unknown'],
    ['Controller', 'GetCapacity', { volume_capabilities: [{}] }, 'volume_capabilities[0].access_type is required'],
    ['Controller', 'ControllerExpandVolume', { capacity_range: {} }, 'volume_id is required'],
    ['Controller', 'ControllerExpandVolume', { volume_id: 'v' }, 'capacity_range is required'],
    [
      'Controller',
      'ControllerExpandVolume',
      { volume_id: 'v', capacity_range: { required_bytes: -1 } },
      'capacity_range.required_bytes is negative',
    ],
    [
      'Controller',
      'ControllerExpandVolume',
      { volume_id: 'v', capacity_range: {}, volume_capability: {} },
      'volume_capability.access_type is required',
    ],
    ['Controller', 'ControllerModifyVolume', {}, 'volume_id is required'],
    [
      'Controller',
      'ControllerModifyVolume',
      { volume_id: 'v', mutable_parameters: { iops: 'many' } },
      'mutable_parameters["iops"] is "many"',
    ],
    [
      'Controller',
      'ValidateVolumeCapabilities',
      { volume_id: 'v', volume_capabilities: [writer], parameters: { shape: 'round' } },
      'parameters["shape"] is unknown',
    ],
    ['Controller', 'DeleteVolume', {}, 'volume_id is required'],
    ['Controller', 'DeleteVolume', { volume_id: 'v'.repeat(129) }, 'volume_id has 129 bytes'],
    ['Controller', 'ValidateVolumeCapabilities', { volume_capabilities: [writer] }, 'volume_id is required'],
    ['Controller', 'ValidateVolumeCapabilities', { volume_id: 'v' }, 'volume_capabilities is required'],
    ['Node', 'NodeStageVolume', { ...stage, volume_id: '' }, 'volume_id is required'],
    ['Node', 'NodeStageVolume', { ...stage, staging_target_path: '' }, 'staging_target_path is required'],
    ['Node', 'NodeStageVolume', { ...stage, volume_capability: undefined }, 'volume_capability is required'],
    ['Node', 'NodeUnstageVolume', { staging_target_path: '/s' }, 'volume_id is required'],
    ['Node', 'NodeUnstageVolume', { volume_id: 'v' }, 'staging_target_path is required'],
    ['Node', 'NodePublishVolume', { ...pub, volume_id: '' }, 'volume_id is required'],
    ['Node', 'NodePublishVolume', { ...pub, target_path: '' }, 'target_path is required'],
    ['Node', 'NodePublishVolume', { ...pub, target_path: 'a/b' }, 'target_path is "a/b"'],
    ['Node', 'NodePublishVolume', { ...pub, target_path: '/a/../../etc' }, 'target_path is "/a/../../etc"'],
    ['Node', 'NodePublishVolume', { ...pub, volume_capability: undefined }, 'volume_capability is required'],
    [
      'Node',
      'NodePublishVolume',
      { ...pub, volume_context: { 'csi.storage.k8s.io/pod.uid': '../x' } },
      'volume_context["csi.storage.k8s.io/pod.uid"]',
    ],
    ['Node', 'NodeUnpublishVolume', { target_path: '/t' }, 'volume_id is required'],
    ['Node', 'NodeUnpublishVolume', { volume_id: 'v' }, 'target_path is required'],
  ] as const)('%s %s %j: %s', async (service, verb, request, message) => {
    const call = driver.client.call(service, verb as never, request);
    await expect(call).rejects.toMatchObject({ code: invalid, details: expect.stringContaining(message) });
  });

  it('do nothing', async () => {
    expect(await node.remains()).toEqual([]);
    expect(await node.mounts()).toEqual([]);
  });
});

describe('volumes that are not there', () => {
  const id = 'some-fake-volume-id';
  const paths = { staging_target_path: '/s', target_path: '/berth-no-such-directory/t' };

  it.each([
    ['Controller', 'DeleteVolume', {}],
    ['Node', 'NodeUnstageVolume', paths],
    ['Node', 'NodeUnpublishVolume', paths],
  ] as const)('are gone already for %s %s', async (service, verb, request) => {
    expect(await driver.client.call(service, verb as never, { volume_id: id, ...request })).toEqual({});
  });

  it.each([
    ['Controller', 'ValidateVolumeCapabilities', { volume_capabilities: [writer] }],
    ['Controller', 'ControllerGetVolume', {}],
    ['Controller', 'ControllerExpandVolume', { capacity_range: { required_bytes: 1 } }],
    ['Controller', 'ControllerModifyVolume', { mutable_parameters: { iops: '1' } }],
    ['Node', 'NodeStageVolume', { ...paths, volume_capability: writer }],
    ['Node', 'NodePublishVolume', { ...paths, volume_capability: writer }],
  ] as const)('are NOT_FOUND for %s %s', async (service, verb, request) => {
    const call = driver.client.call(service, verb as never, { volume_id: id, ...request });
    await expect(call).rejects.toMatchObject({ code: status.NOT_FOUND, details: `there is no volume ${id}` });
  });

  it('are not said to be gone when another node or pool may have them', async () => {
    const { volume_id } = (await create({ name: 'here' })).volume;
    for (const elsewhere of [volume_id.replace('main.', 'old.'), 'main.0123456789ab.here']) {
      const call = driver.client.call('Controller', 'DeleteVolume', { volume_id: elsewhere });
      await expect(call).rejects.toMatchObject({
        code: status.FAILED_PRECONDITION,
        details: expect.stringMatching(/lives on the node of key 0123456789ab|lives in pool old/),
      });
    }
    await driver.client.call('Controller', 'DeleteVolume', { volume_id });
  });

  it('need a staging path to be published', async () => {
    const call = driver.client.call('Node', 'NodePublishVolume', {
      volume_id: id,
      target_path: '/t',
      volume_capability: writer,
    });
    await expect(call).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
  });
});

describe('CreateVolume', () => {
  it.each(['A Name With Blanks', 'ü'.repeat(64), '../../../etc/passwd', 'n'.repeat(128), 'x_1'])(
    'takes the name %j for what it is',
    async (name) => {
      const { volume_id } = (await create({ name })).volume;
      expect((await create({ name })).volume.volume_id).toBe(volume_id);
      expect(await readdir(join(node.pool, 'volumes'))).toEqual([volume_id]);
      await driver.client.call('Controller', 'DeleteVolume', { volume_id });
      expect(await node.remains()).toEqual([]);
    },
  );

  it('gives a GiB when nothing is asked, and whole MiB', async () => {
    const sizes = [];
    for (const capacity_range of [undefined, { required_bytes: 100 * MIB + 1 }, { limit_bytes: 50 * MIB }]) {
      const { volume_id, capacity_bytes } = (await create({ name: 'size', capacity_range })).volume;
      sizes.push(Number(capacity_bytes) / MIB);
      await driver.client.call('Controller', 'DeleteVolume', { volume_id });
    }
    expect(sizes).toEqual([1024, 101, 50]);
  });

  it('says OUT_OF_RANGE or RESOURCE_EXHAUSTED for what it cannot give', async () => {
    const small = create({ name: 'n', capacity_range: { required_bytes: 20 * MIB, limit_bytes: 10 * MIB } });
    await expect(small).rejects.toMatchObject({ code: status.OUT_OF_RANGE });
    const [there, here] = ['node-2', 'node-1'].map((name) => ({ segments: { 'csi.berth.dev/node': name } }));
    const far = create({ name: 'n', accessibility_requirements: { requisite: [there] } });
    await expect(far).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringContaining('accessibility_requirements.requisite is [{"csi.berth.dev/node":"node-2"}]'),
    });
    const otherPool = create({
      name: 'n',
      parameters: { pool: 'other' },
      accessibility_requirements: { requisite: [here] },
    });
    await expect(otherPool).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: 'parameters["pool"] is other, but this node has main',
    });
    const huge = create({ name: 'n', capacity_range: { required_bytes: '1152921504606846976' } });
    await expect(huge).rejects.toMatchObject({ code: status.OUT_OF_RANGE });
    const large = create({ name: 'n', capacity_range: { required_bytes: 2 ** 50 } });
    await expect(large).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringContaining('pool main can promise'),
    });
    expect(await node.remains()).toEqual([]);
  });

  it('says what differs when the name is taken', async () => {
    const first = { name: 'taken', capacity_range: { required_bytes: 100 * MIB, limit_bytes: 200 * MIB } };
    const { volume_id } = (await create(first)).volume;
    const differences: [object, string][] = [
      [{ capacity_range: { required_bytes: 300 * MIB } }, 'it has 104857600 bytes, 314572800 are required'],
      [{ capacity_range: { limit_bytes: 50 * MIB } }, 'the limit is 52428800'],
      [
        { volume_capabilities: [{ ...writer, mount: { fs_type: 'xfs' } }], capacity_range: undefined },
        'file system is ext4',
      ],
      [
        { volume_capabilities: [{ ...writer, access_mode: { mode: 'SINGLE_NODE_SINGLE_WRITER' } }] },
        'without SINGLE_NODE_SINGLE_WRITER',
      ],
    ];
    for (const [difference, message] of differences) {
      await expect(create({ ...first, ...difference })).rejects.toMatchObject({
        code: status.ALREADY_EXISTS,
        details: expect.stringContaining(message),
      });
    }
    expect((await create({ ...first, capacity_range: { required_bytes: 60 * MIB } })).volume.volume_id).toBe(volume_id);
    await driver.client.call('Controller', 'DeleteVolume', { volume_id });
  });

  it('makes one volume of many requests at once', async () => {
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => create({ name: 'many' })));
    const done = all.flatMap((result) => (result.status === 'fulfilled' ? [result.value.volume.volume_id] : []));
    const refused = all.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect(new Set(done).size).toBe(1);
    for (const error of refused) {
      expect(error).toMatchObject({
        code: status.ABORTED,
        details: expect.stringMatching('CreateVolume is at work on'),
      });
    }
    expect(refused.length).toBeGreaterThan(0);
    await driver.client.call('Controller', 'DeleteVolume', { volume_id: done[0] });
    expect(await node.remains()).toEqual([]);
  });
});

describe('capabilities', () => {
  it('are confirmed as far as the volume has them', async () => {
    const { volume_id } = (await create({ name: 'validated' })).volume;
    const ask = (capability: object, parameters = {}, mutable_parameters = {}) =>
      driver.client.call('Controller', 'ValidateVolumeCapabilities', {
        volume_id,
        volume_capabilities: [capability],
        parameters,
        mutable_parameters,
      });
    expect((await ask(writer, {}, { iops: '5' })).message).toContain('its iops is 0, not 5');
    expect((await ask({ block: {}, access_mode: writer.access_mode })).confirmed?.volume_capabilities).toHaveLength(1);
    expect((await ask(writer, { cache: 'none' })).message).toContain('its cache is writeback, not none');
    const yes = await ask(writer, { pool: 'main' });
    expect(yes.confirmed?.volume_capabilities).toHaveLength(1);
    expect(yes.confirmed?.parameters).toEqual({ pool: 'main' });
    for (const [capability, reason] of [
      [{ ...writer, mount: { fs_type: 'xfs' } }, 'its file system is ext4, not xfs'],
      [{ ...writer, access_mode: { mode: 'SINGLE_NODE_SINGLE_WRITER' } }, 'without SINGLE_NODE_SINGLE_WRITER'],
      [{ ...writer, access_mode: { mode: 'MULTI_NODE_MULTI_WRITER' } }, 'lives on one node'],
    ] as const) {
      const no = await ask(capability);
      expect(no.confirmed ?? undefined).toBeUndefined();
      expect(no.message).toContain(reason);
    }
    await driver.client.call('Controller', 'DeleteVolume', { volume_id });
  });

  it('are those of the driver', async () => {
    const { client } = driver;
    expect(await client.call('Identity', 'GetPluginInfo')).toMatchObject({
      name: 'csi.berth.dev',
      vendor_version: packageJson.version,
    });
    expect(await client.call('Identity', 'Probe')).toMatchObject({ ready: { value: true } });
    expect((await client.call('Identity', 'GetPluginCapabilities')).capabilities).toMatchObject([
      { service: { type: 'CONTROLLER_SERVICE' } },
      { service: { type: 'VOLUME_ACCESSIBILITY_CONSTRAINTS' } },
      { service: { type: 'GROUP_CONTROLLER_SERVICE' } },
      { service: { type: 'SNAPSHOT_METADATA_SERVICE' } },
      { volume_expansion: { type: 'ONLINE' } },
    ]);
    const types = async (service: 'Controller' | 'Node', verb: 'ControllerGetCapabilities' | 'NodeGetCapabilities') => {
      const { capabilities } = (await client.call(service, verb as never)) as {
        capabilities: { rpc: { type: string } }[];
      };
      return capabilities.map(({ rpc }) => rpc.type);
    };
    expect((await types('Controller', 'ControllerGetCapabilities')).sort()).toEqual([
      'CLONE_VOLUME',
      'CREATE_DELETE_SNAPSHOT',
      'CREATE_DELETE_VOLUME',
      'EXPAND_VOLUME',
      'GET_CAPACITY',
      'GET_SNAPSHOT',
      'GET_VOLUME',
      'LIST_SNAPSHOTS',
      'LIST_VOLUMES',
      'MODIFY_VOLUME',
      'SINGLE_NODE_MULTI_WRITER',
      'VOLUME_CONDITION',
    ]);
    expect((await types('Node', 'NodeGetCapabilities')).sort()).toEqual([
      'EXPAND_VOLUME',
      'GET_VOLUME_STATS',
      'SINGLE_NODE_MULTI_WRITER',
      'STAGE_UNSTAGE_VOLUME',
      'VOLUME_CONDITION',
      'VOLUME_MOUNT_GROUP',
    ]);
    expect(await client.call('Node', 'NodeGetInfo')).toMatchObject({ node_id: 'node-1' });
  });

  it('end where the flags end: UNIMPLEMENTED', async () => {
    const raw = new Client(`unix:${driver.socket}`, credentials.createInsecure());
    const code = await new Promise((resolve) => {
      const bytes = (value: Buffer): Buffer => value;
      raw.makeUnaryRequest('/csi.v1.Controller/ControllerPublishVolume', bytes, bytes, Buffer.alloc(0), (error) =>
        resolve(error?.code),
      );
    });
    raw.close();
    expect(code).toBe(status.UNIMPLEMENTED);
  });
});

it('logs no secrets', async () => {
  const { volume_id } = (await create({ name: 'secret', secrets: { key: 'hunter2' } })).volume;
  await driver.client.call('Controller', 'DeleteVolume', { volume_id, secrets: { key: 'hunter2' } });
  const log = driver.log.join('\n');
  expect(log).toContain('"rpc":"CreateVolume"');
  expect(log).not.toContain('hunter2');
});
