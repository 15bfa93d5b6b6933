import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAILPOINT_MARK, FAILPOINT_VARIABLE, LIST_FAILPOINTS } from '../../runtime/system/failpoint.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';
import { buildWithFailpoints } from '../support/failpoint-build.ts';
import { failpointsOf, type Pass, parsePasses, pointsOf } from '../support/failpoints.ts';

/** Publications that csi-crash.test.ts does not make: the server is killed at every one of their steps. */
const program = await buildWithFailpoints('csi');
const POD = 'a1b2c3';
const INLINE = `csi-${'0123456789abcdef'.repeat(4)}`;
const POD_UID = { 'csi.storage.k8s.io/pod.uid': POD };
const access_mode = { mode: 'SINGLE_NODE_WRITER' };
const mounted = { mount: { fs_type: 'ext4' }, access_mode };

interface Kind {
  readonly capability: object;
  /** Of the class; undefined: there is no CreateVolume. */
  readonly parameters: Readonly<Record<string, string>> | undefined;
  readonly context: Readonly<Record<string, string>>;
}
const KINDS = {
  block: { capability: { block: {}, access_mode }, parameters: {}, context: POD_UID },
  kata: { capability: mounted, parameters: { consumer: 'kata' }, context: POD_UID },
  inline: {
    capability: mounted,
    parameters: undefined,
    context: { ...POD_UID, 'csi.storage.k8s.io/ephemeral': 'true', size: '16Mi' },
  },
} as const satisfies Readonly<Record<string, Kind>>;
type KindName = keyof typeof KINDS;
const NAMES = Object.keys(KINDS) as KindName[];
const VERBS = ['publish', 'unpublish'] as const;
type Verb = (typeof VERBS)[number];

let node: CsiNode;
let driver: CsiProcess;
let target = '';
let volumeId = '';

async function open(): Promise<void> {
  node = await createCsiNode(program);
  target = join(node.scratch, 'kubelet/pods', POD, 'target');
  await mkdir(dirname(target), { recursive: true });
}
async function close(): Promise<void> {
  for (const device of await loops()) await execa('losetup', ['--detach', device]);
  await node.close();
}
beforeEach(open);
afterEach(close);

async function start(wanted = ''): Promise<void> {
  driver = await node.start({}, { [FAILPOINT_VARIABLE]: wanted });
}

async function create(kind: KindName): Promise<void> {
  const { parameters, capability } = KINDS[kind];
  volumeId = INLINE;
  if (parameters === undefined) return;
  const request = { name: 'pvc', capacity_range: { required_bytes: 16 << 20 }, volume_capabilities: [capability] };
  volumeId = (await driver.client.call('Controller', 'CreateVolume', { ...request, parameters })).volume.volume_id;
}

function run(verb: Verb, kind: KindName): Promise<unknown> {
  const request = { volume_id: volumeId, target_path: target };
  if (verb === 'unpublish') return driver.client.call('Node', 'NodeUnpublishVolume', request);
  const { capability: volume_capability, context: volume_context } = KINDS[kind];
  const staging_target_path = kind === 'inline' ? '' : '/staging';
  const more = { volume_capability, volume_context, staging_target_path };
  return driver.client.call('Node', 'NodePublishVolume', { ...request, ...more });
}

async function loops(): Promise<string[]> {
  const { stdout } = await execa('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE']);
  const ours = stdout.split('\n').filter((line) => line.includes(`${node.scratch}/`));
  return ours.map((line) => line.split(' ')[0] ?? '');
}

/** Everything that a publication makes. The directory of all records stays when there has been one. */
async function readState(): Promise<string[]> {
  const mounts = (await node.mounts()).map(({ mountPoint, fsType }) => `${mountPoint} ${fsType}`);
  const files = (await readdir(node.scratch, { recursive: true })).filter((path) => path !== 'run/volumes');
  const kata = await readdir(`${node.root}/run/kata-containers/shared/direct-volumes`).catch(() => []);
  const loopCount = `${(await loops()).length} loops`;
  return [...mounts, ...files, ...kata, loopCount].map((line) => line.replaceAll(node.scratch, '')).sort();
}

async function expectPublished(kind: KindName): Promise<void> {
  expect(await readdir(join(node.runDirectory, 'volumes', POD))).toHaveLength(1);
  if (kind === 'block') {
    const [device = '', ...others] = await loops();
    expect(others).toEqual([]);
    expect((await stat(target)).rdev).toBe((await stat(device)).rdev);
    expect(await readFile(target)).toHaveLength(512);
  } else {
    expect((await node.mounts()).map(({ mountPoint }) => mountPoint)).toEqual([target]);
  }
  if (kind === 'kata') {
    const [name = ''] = await readdir(`${node.root}/run/kata-containers/shared/direct-volumes`);
    expect(Buffer.from(name, 'base64url').toString()).toBe(target);
  }
}

interface Life {
  readonly passes: Readonly<Record<Verb, readonly Pass[]>>;
  /** When the volume is there, and not published. */
  readonly before: readonly string[];
}

/** Without a crash. */
async function liveOnce(kind: KindName): Promise<Life> {
  await open();
  await start(LIST_FAILPOINTS);
  await create(kind);
  const before = await readState();
  const ends = [driver.log.length];
  for (const verb of VERBS) {
    await run(verb, kind);
    ends.push(driver.log.length);
  }
  expect(await readState()).toEqual(before);
  await driver.stop();
  await close();
  const passesUpTo = (end: number) => parsePasses(driver.log.slice(0, end).join('\n'));
  const [created, published, unpublished] = ends.map((end) => passesUpTo(end).length);
  const all = parsePasses(driver.log.join('\n'));
  return { before, passes: { publish: all.slice(created, published), unpublish: all.slice(published, unpublished) } };
}

const lives = {
  block: await liveOnce('block'),
  kata: await liveOnce('kata'),
  inline: await liveOnce('inline'),
} satisfies Readonly<Record<KindName, Life>>;

async function runKilled(verb: Verb, kind: KindName, pass: Pass): Promise<void> {
  await start(pass);
  await create(kind);
  if (verb === 'unpublish') await run('publish', kind);
  await expect(run(verb, kind)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  expect(await driver.ended()).toBe('SIGKILL');
  expect(driver.log.at(-1)).toBe(`${FAILPOINT_MARK}${pass} kills`);
  await start();
}

describe.each(NAMES)('%s', (kind) => {
  const { before, passes } = lives[kind];

  describe.each(VERBS)('%s', (verb) => {
    it.each(passes[verb])('killed at %s can be repeated', async (pass) => {
      await runKilled(verb, kind, pass);
      await run(verb, kind);
      if (verb === 'publish') await expectPublished(kind);
      await run('unpublish', kind);
      expect(await readState()).toEqual(before);
      await driver.stop();
    });

    it.each(passes[verb])('killed at %s can be taken back', async (pass) => {
      await runKilled(verb, kind, pass);
      if (verb === 'unpublish') {
        await run('publish', kind);
        await expectPublished(kind);
      }
      await run('unpublish', kind);
      expect(await readState()).toEqual(before);
      await driver.stop();
    });
  });
});

it('reaches the failpoints that only these publications have', () => {
  const all = Object.values(lives).flatMap(({ passes }) => [...passes.publish, ...passes.unpublish]);
  expect(pointsOf(all)).toEqual(expect.arrayContaining(failpointsOf('csi-node')));
});
