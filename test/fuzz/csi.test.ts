import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DRIVER_NAME } from '../../csi/identity.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';
import { type CsiState, expectAllowed, readPrecious, readPublications, readState } from '../support/csi-state.ts';
import { createVocabulary, type KnownIds, SECRET, SIZE_BYTES, WRITER } from '../support/csi-vocabulary.ts';
import { brokenBytes, limitMs, runs } from '../support/fuzz.ts';
import { type Messages, requestArbitrary, type Vocabulary } from '../support/proto-arbitrary.ts';
import { mountXfsPool } from '../support/xfs-pool.ts';

const PROTO = loadSync('proto/csi.proto', {
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});
const SERVICES = ['Identity', 'Controller', 'GroupController', 'SnapshotMetadata', 'Node'] as const;
type Method = MethodDefinition<object, object>;
const METHODS = Object.assign({}, ...SERVICES.map((service) => PROTO[`csi.v1.${service}`])) as Record<string, Method>;

const FLAGS = { 'controller-publish': '', 'max-volumes-per-node': '10' };

let node: CsiNode;
let driver: CsiProcess;
let client: Client;
let known: KnownIds;
let vocabulary: Vocabulary;
beforeAll(async () => {
  node = await createCsiNode();
  await mountXfsPool(node);
  driver = await node.start(FLAGS);
  client = connect();
  known = await ensureKnown();
  vocabulary = await createVocabulary(node, known);
});
afterAll(async () => {
  client?.close();
  await driver?.stop();
  await node?.close();
});

/** A connection of its own; clients of one socket share theirs otherwise. */
const connect = (): Client =>
  new Client(`unix:${driver.socket}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });

/** A volume with something in it, that no refused request may touch, and snapshots of it. Requests may delete them. */
async function ensureKnown(): Promise<KnownIds> {
  const [volumeId, isNew] = await ensureKnownVolume();
  if (isNew) await writePrecious(volumeId);
  const snapshot = await driver.client.call('Controller', 'CreateSnapshot', {
    name: 'known',
    source_volume_id: volumeId,
  });
  const group = await driver.client.call('GroupController', 'CreateVolumeGroupSnapshot', {
    name: 'known',
    source_volume_ids: [volumeId],
  });
  return {
    volumeId,
    snapshotId: snapshot.snapshot.snapshot_id,
    groupId: group.group_snapshot.group_snapshot_id,
    memberIds: group.group_snapshot.snapshots.map(({ snapshot_id }) => snapshot_id),
  };
}

async function ensureKnownVolume(): Promise<[volumeId: string, isNew: boolean]> {
  const { entries } = await driver.client.call('Controller', 'ListVolumes');
  const found = entries.find(({ volume }) => volume.volume_id === known?.volumeId);
  if (found !== undefined) return [found.volume.volume_id, false];
  const { volume } = await driver.client.call('Controller', 'CreateVolume', {
    name: 'known',
    capacity_range: { required_bytes: SIZE_BYTES },
    volume_capabilities: [WRITER],
  });
  return [volume.volume_id, true];
}

async function writePrecious(volumeId: string): Promise<void> {
  const image = await open(join(node.root, node.pool, 'volumes', volumeId, 'image.raw'), 'r+');
  await image.write('precious', 4096);
  await image.close();
}

interface Outcome {
  readonly code: number;
  readonly details: string;
}

/** What the driver answers to these bytes: a hang is a DEADLINE_EXCEEDED of our own, and a dead driver UNAVAILABLE. */
const send = (verb: string, bytes: Buffer, timeoutMs = 10_000, over = client): Promise<Outcome> =>
  new Promise((resolve) => {
    const { path = '', responseStream = false } = METHODS[verb] ?? {};
    const asIs = (value: Buffer): Buffer => value;
    const options = { deadline: Date.now() + timeoutMs };
    if (responseStream) {
      const stream = over.makeServerStreamRequest(path, asIs, asIs, bytes, options);
      stream.on('error', () => {}).on('status', resolve);
      stream.resume();
      return;
    }
    const done = (error: ServiceError | null): void => resolve(error ?? { code: status.OK, details: '' });
    over.makeUnaryRequest(path, asIs, asIs, bytes, options, done);
  });

const serialize = (verb: string, request: object): Buffer =>
  METHODS[verb]?.requestSerialize(request) ?? Buffer.alloc(0);

const DEFECTS = [
  ...[status.UNKNOWN, status.INTERNAL, status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED],
  ...[status.UNIMPLEMENTED, status.DATA_LOSS],
];

function expectClearAnswer({ code, details }: Outcome): void {
  expect({ details, isDefect: DEFECTS.includes(code) }).toEqual({ details, isDefect: false });
  if (code !== status.OK) expect(details).not.toMatch(/^$|unexpected|\n\s+at |undefined|\[object/);
}

async function expectPrecious({ data }: CsiState): Promise<void> {
  const { volumeId, snapshotId, memberIds } = known;
  for (const path of [`volumes/${volumeId}`, ...[snapshotId, ...memberIds].map((id) => `snapshots/${id}`)]) {
    if (data.has(path)) expect([path, await readPrecious(node, path)]).toEqual([path, 'precious']);
  }
}

/** A request without fields is the same each time. */
const hasFields = (verb: string): boolean => {
  const type = METHODS[verb]?.requestType.type ?? {};
  return 'field' in type && Object.keys(type.field ?? []).length > 0;
};

function call(): fc.Arbitrary<{ verb: string; request: object }> {
  const arbitraries = Object.entries(METHODS).map(([verb, { requestType }]) => {
    const request = requestArbitrary(requestType.type, PROTO as Messages, vocabulary);
    return { weight: hasFields(verb) ? 6 : 1, arbitrary: request.map((value) => ({ verb, request: value })) };
  });
  return fc.oneof(...arbitraries);
}

/** Whether the paths that the bytes still have lie where the test may write: half of a path is one too. */
function isHarmless({ verb, bytes }: { verb: string; bytes: Buffer }): boolean {
  try {
    const request = METHODS[verb]?.requestDeserialize(bytes) ?? {};
    const paths = Object.entries(request).flatMap(([name, value]) => (name.endsWith('_path') ? [String(value)] : []));
    return paths.every((path) => !path.startsWith('/') || path.startsWith(`${node.scratch}/`));
  } catch {
    return true; // The driver cannot decode it either.
  }
}

describe('CSI requests', () => {
  it('have a clear answer, and change only what they are allowed to', { timeout: limitMs(120) }, async () => {
    const succeeded = new Set<string>();
    await fc.assert(
      fc.asyncProperty(call(), async ({ verb, request }) => {
        await ensureKnown();
        const before = await readState(node);
        const outcome = await send(verb, serialize(verb, request));
        expectClearAnswer(outcome);
        expect(outcome.details).not.toContain(SECRET);
        const after = await readState(node);
        if (outcome.code === status.OK) {
          succeeded.add(verb);
          expectAllowed(verb, request, before, after);
        } else expect(after).toEqual(before);
        await expectPrecious(after);
      }),
      runs(800),
    );
    expect(driver.log.filter((line) => line.includes(SECRET))).toEqual([]);
    // Requests that get nowhere would prove nothing. Chance may keep one verb or another from it.
    const failed = Object.keys(METHODS).filter((verb) => hasFields(verb) && !succeeded.has(verb));
    expect(failed.length, failed.join(', ')).toBeLessThan(4);
  });

  it('of bytes that are broken on the way have an answer too', { timeout: limitMs(30) }, async () => {
    const broken = call().chain(({ verb, request }) =>
      brokenBytes(serialize(verb, request))
        .map((bytes) => ({ verb, bytes: Buffer.from(bytes) }))
        .filter(isHarmless),
    );
    await fc.assert(
      fc.asyncProperty(broken, async ({ verb, bytes }) => {
        const outcome = await send(verb, bytes);
        // The status that grpc-js gives to what it cannot decode; no verb has been called then.
        if (!outcome.details.startsWith('Error deserializing request')) expectClearAnswer(outcome);
      }),
      runs(300),
    );
  });

  it('may come at once: each has its answer', { timeout: limitMs(60) }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(call(), { minLength: 10, maxLength: 20 }), async (calls) => {
        const answers = calls.map(({ verb, request }) => send(verb, serialize(verb, request)));
        for (const outcome of await Promise.all(answers)) expectClearAnswer(outcome);
        expect((await readState(node)).unfinished).toEqual([]);
      }),
      runs(15),
    );
  });

  it('may be given up by their callers: nothing is left half made', { timeout: limitMs(60) }, async () => {
    const hasty = fc.record({ call: call(), timeoutMs: fc.integer({ min: 1, max: 30 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(hasty, { minLength: 10, maxLength: 20 }), async (calls) => {
        // HTTP/2 servers end a connection on which a thousand streams are given up in a row (CVE-2023-44487).
        const own = connect();
        const answers = calls.map(({ call: { verb, request }, timeoutMs }) =>
          send(verb, serialize(verb, request), timeoutMs, own),
        );
        const late = [status.DEADLINE_EXCEEDED, status.CANCELLED];
        for (const outcome of await Promise.all(answers)) if (!late.includes(outcome.code)) expectClearAnswer(outcome);
        own.close();
      }),
      runs(15),
    );
    // Verbs that nobody waits for may run on; a stop waits for them.
    expect(await driver.stop()).toBe(0);
    expect((await readState(node)).unfinished).toEqual([]);
    driver = await node.start(FLAGS);
  });

  it('have left what the next server finds as it was', async () => {
    const list = () => driver.client.call('Controller', 'ListVolumes');
    const before = [await readState(node), await list()];
    expect(await driver.stop()).toBe(0);
    driver = await node.start(FLAGS);
    expect([await readState(node), await list()]).toEqual(before);
  });

  it('have left a driver that serves, and nothing but what was asked for', async () => {
    expect(await driver.client.call('Identity', 'GetPluginInfo')).toMatchObject({ name: DRIVER_NAME });
    await clearAll();
    const { data, unfinished, publications } = await readState(node);
    expect({ data: [...data.keys()], unfinished }).toEqual({ data: [], unfinished: [] });
    expect(publications.filter((line) => !line.startsWith('kubelet/'))).toEqual([expect.stringMatching(/pool /)]);
    expect(driver.log.filter((line) => /unexpected|\\n\s+at /.test(line))).toEqual([]);
  });
});

/** By verbs alone: what they do not find was lost. */
async function clearAll(): Promise<void> {
  const { client: csi } = driver;
  for (const publication of await readPublications(node)) await csi.call('Node', 'NodeUnpublishVolume', publication);
  for (const { snapshot } of (await csi.call('Controller', 'ListSnapshots')).entries) {
    const { snapshot_id, group_snapshot_id } = snapshot;
    if (group_snapshot_id === '') await csi.call('Controller', 'DeleteSnapshot', { snapshot_id });
    else
      await csi.call('GroupController', 'DeleteVolumeGroupSnapshot', {
        group_snapshot_id,
        snapshot_ids: [snapshot_id],
      });
  }
  for (const { volume } of (await csi.call('Controller', 'ListVolumes')).entries) {
    await csi.call('Controller', 'ControllerUnpublishVolume', { volume_id: volume.volume_id });
    await csi.call('Controller', 'DeleteVolume', { volume_id: volume.volume_id });
  }
}
