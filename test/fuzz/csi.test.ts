import { mkdir, open, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DRIVER_NAME } from '../../csi/identity.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';
import { listTree } from '../support/file-tree.ts';
import { anyText, brokenBytes, limitMs, runs } from '../support/fuzz.ts';
import { type Messages, requestArbitrary, type Vocabulary } from '../support/proto-arbitrary.ts';

const PROTO = loadSync('proto/csi.proto', {
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});
const SERVICES = ['Identity', 'Controller', 'Node'] as const;
type Method = MethodDefinition<object, object>;
const METHODS = Object.assign({}, ...SERVICES.map((service) => PROTO[`csi.v1.${service}`])) as Record<string, Method>;
const writer = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
const KNOWN = { name: 'known', capacity_range: { required_bytes: 16 << 20 }, volume_capabilities: [writer] };

let node: CsiNode;
let driver: CsiProcess;
let client: Client;
let vocabulary: Vocabulary;
let volumeId = '';
beforeAll(async () => {
  node = await createCsiNode();
  driver = await node.start();
  client = new Client(`unix:${driver.socket}`, credentials.createInsecure());
  await ensureKnownVolume();
  vocabulary = createVocabulary(await createTargets());
});
afterAll(async () => {
  client?.close();
  await driver?.stop();
  await node?.close();
});

/** A volume with something in it, that no refused request may touch. */
async function ensureKnownVolume(): Promise<void> {
  volumeId = (await driver.client.call('Controller', 'CreateVolume', KNOWN)).volume.volume_id;
  const image = await open(join(node.pool, 'volumes', volumeId, 'image.raw'), 'r+');
  await image.write('precious', 4096);
  await image.close();
}

/** Target paths as kubelet has them, and such as it never should. */
async function createTargets(): Promise<string[]> {
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

function createVocabulary(targets: readonly string[]): Vocabulary {
  const [, key = ''] = volumeId.split('.');
  // Nothing outside of the scratch directory: the driver is root, and may be asked to remove an empty directory.
  const anyPath = anyText().map((text) => (text.startsWith('/') ? join(node.scratch, 'any', text) : text));
  const path = mostly(targets.slice(0, 2), [fc.constantFrom(...targets), anyPath]);
  const block = { ...writer, mount: undefined, block: {} };
  const single = { ...writer, access_mode: { mode: 'SINGLE_NODE_SINGLE_WRITER' } };
  return {
    volume_id: mostly([volumeId], [`main.${key}.new`, `old.${key}.known`, `main.${'0'.repeat(12)}.known`]),
    name: mostly(['known', 'new', 'A Name'], ['../../etc', 'n'.repeat(128), 'n'.repeat(129)]),
    fs_type: mostly(['', 'ext4'], ['xfs', 'btrfs']),
    mode: mostly(['SINGLE_NODE_WRITER'], ['SINGLE_NODE_SINGLE_WRITER', 'UNKNOWN', 5]),
    volume_mount_group: mostly([''], ['1000']),
    mount_flags: mostly([[]], [['noatime'], ['noatime', '']]),
    volume_capability: mostly([writer], [single, block, {}]),
    volume_capabilities: mostly([[writer]], [[single], [block], [writer, {}], []]),
    capacity_range: mostly(
      [KNOWN.capacity_range],
      [undefined, { limit_bytes: '1' }, { required_bytes: '1125899906842624' }],
    ),
    volume_content_source: mostly([undefined], [{ volume: { volume_id: 'v' } }]),
    accessibility_requirements: mostly([undefined], [{ requisite: [] }]),
    mutable_parameters: mostly([{}], [{ iops: '1' }]),
    parameters: mostly([{}, { pool: 'main' }], [{ pool: 'old' }, { 'csi.storage.k8s.io/fstype': 'xfs' }, { a: 'b' }]),
    'volume_context.key': fc.constant('csi.storage.k8s.io/pod.uid'),
    'volume_context.value': mostly(['pod-a', 'pod-b'], ['../x', '', 'none']),
    staging_target_path: path,
    target_path: path,
  };
}

/** Eight times of ten something good; each of the others may be an arbitrary of its own. */
function mostly(good: readonly unknown[], others: readonly unknown[]): fc.Arbitrary<unknown> {
  const other = others.map((each) => (isArbitrary(each) ? each : fc.constant(each)));
  return fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...good) }, { weight: 2, arbitrary: fc.oneof(...other) });
}

const isArbitrary = (value: unknown): value is fc.Arbitrary<unknown> =>
  typeof value === 'object' && value !== null && 'generate' in value;

interface Outcome {
  readonly code: number;
  readonly details: string;
}

/** What the driver answers to these bytes: a hang is a DEADLINE_EXCEEDED of our own, and a dead driver UNAVAILABLE. */
const send = (verb: string, bytes: Buffer): Promise<Outcome> =>
  new Promise((resolve) => {
    const asIs = (value: Buffer): Buffer => value;
    const done = (error: ServiceError | null): void => resolve(error ?? { code: status.OK, details: '' });
    client.makeUnaryRequest(METHODS[verb]?.path ?? '', asIs, asIs, bytes, { deadline: Date.now() + 10_000 }, done);
  });

const serialize = (verb: string, request: object): Buffer =>
  METHODS[verb]?.requestSerialize(request) ?? Buffer.alloc(0);

const DEFECTS = [status.UNKNOWN, status.INTERNAL, status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED];

function expectClearAnswer({ code, details }: Outcome): void {
  expect({ details, isDefect: DEFECTS.includes(code) }).toEqual({ details, isDefect: false });
  if (code !== status.OK) expect(details).not.toMatch(/^$|unexpected|\n\s+at |undefined|\[object/);
}

/** Everything that a request could change: the pool, the records, kubelet's directories and the mounts. */
async function lookAround() {
  const mounts = (await node.mounts()).map(({ mountPoint, source }) => `${mountPoint} ${source}`);
  const [volumes, records, kubelet] = await Promise.all([
    listTree(join(node.pool, 'volumes')),
    listTree(join(node.runDirectory, 'volumes')),
    listTree(join(node.scratch, 'kubelet')),
  ]);
  const others = [...(await listTree(join(node.pool, 'incoming'))), ...(await listTree(join(node.pool, 'trash')))];
  return { volumes, rest: [...others, ...records, ...kubelet, ...mounts.sort()] };
}

/** What a verb that succeeded may do to volumes: CreateVolume adds one, DeleteVolume removes the one it names. */
function expectVolumesKept(verb: string, request: object, before: readonly string[], after: readonly string[]): void {
  const named = 'volume_id' in request ? String(request.volume_id) : '';
  const kept = verb === 'DeleteVolume' ? before.filter((line) => !line.startsWith(named)) : before;
  expect(after).toEqual(expect.arrayContaining([...kept]));
  if (verb !== 'CreateVolume') expect(after.length).toBeLessThanOrEqual(before.length);
}

function call(): fc.Arbitrary<{ verb: string; request: object }> {
  const arbitraries = Object.entries(METHODS).map(([verb, { requestType }]) => {
    const request = requestArbitrary(requestType.type, PROTO as Messages, vocabulary);
    // A request without fields is the same each time.
    const weight = 'field' in requestType.type && Object.keys(requestType.type.field ?? []).length > 0 ? 6 : 1;
    return { weight, arbitrary: request.map((value) => ({ verb, request: value })) };
  });
  return fc.oneof(...arbitraries);
}

/** Whether the target path, if the bytes still have one, lies where the test may write: half of a path is one too. */
function isHarmless({ verb, bytes }: { verb: string; bytes: Buffer }): boolean {
  try {
    const request = METHODS[verb]?.requestDeserialize(bytes) ?? {};
    const path = 'target_path' in request ? String(request.target_path) : '';
    return !path.startsWith('/') || path.startsWith(`${node.scratch}/`);
  } catch {
    return true; // The driver cannot decode it either.
  }
}

describe('CSI requests', () => {
  it('have a clear answer, and change nothing when they are refused', { timeout: limitMs(60) }, async () => {
    await fc.assert(
      fc.asyncProperty(call(), async ({ verb, request }) => {
        await ensureKnownVolume();
        const before = await lookAround();
        const outcome = await send(verb, serialize(verb, request));
        expectClearAnswer(outcome);
        const after = await lookAround();
        if (outcome.code === status.OK) expectVolumesKept(verb, request, before.volumes, after.volumes);
        else expect(after).toEqual(before);
      }),
      runs(400),
    );
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

  it('may come at once: each has its answer', { timeout: limitMs(30) }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(call(), { minLength: 10, maxLength: 20 }), async (calls) => {
        const answers = calls.map(({ verb, request }) => send(verb, serialize(verb, request)));
        for (const outcome of await Promise.all(answers)) expectClearAnswer(outcome);
      }),
      runs(15),
    );
  });

  it('have left a driver that serves, and nothing but what was asked for', async () => {
    expect(await driver.client.call('Identity', 'GetPluginInfo')).toMatchObject({ name: DRIVER_NAME });
    for (const { mountPoint, source } of await node.mounts()) {
      const volume_id = source.replace('berth:', '');
      await driver.client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: mountPoint });
    }
    for (const line of await listTree(join(node.pool, 'volumes'))) {
      const [volume_id = ''] = line.split(/[/ ]/);
      await driver.client.call('Controller', 'DeleteVolume', { volume_id });
    }
    expect(await node.remains()).toEqual([]);
    expect(await node.mounts()).toEqual([]);
    expect(driver.log.filter((line) => /unexpected|\\n\s+at /.test(line))).toEqual([]);
  });
});
