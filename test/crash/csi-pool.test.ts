import { open, readdir, readFile, stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toSnapshotId } from '../../csi/snapshot-id.ts';
import { toNodeKey, toVolumeId } from '../../csi/volume-id.ts';
import { VOLUME_FILES, type VolumeSpec, volumeSpecRecord } from '../../proto/volume-spec.ts';
import { FAILPOINT_MARK, FAILPOINT_VARIABLE, LIST_FAILPOINTS } from '../../runtime/system/failpoint.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';
import { buildWithFailpoints } from '../support/failpoint-build.ts';
import { type Pass, parsePasses } from '../support/failpoints.ts';
import { mountXfsPool } from '../support/xfs-pool.ts';

const MIB = 1 << 20;
const SIZE = 16 * MIB;
const LARGER = 24 * MIB;
const DATA = 'what a guest has written';
const KEY = toNodeKey('node-1');
const writer = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
const idOf = (name: string) => toVolumeId('main', KEY, name);
const volume_id = idOf('tested');
const program = await buildWithFailpoints('csi');

/** What can be done with a pool beside blank volumes and snapshots, on volume `tested`. */
const VERBS = ['clone', 'restore', 'make thick', 'expand', 'expand thick', 'limit'] as const;
type Verb = (typeof VERBS)[number];
const isMaking = (verb: Verb) => ['clone', 'restore', 'make thick'].includes(verb);

describe.each([
  { kind: 'reflinks', verbs: VERBS },
  { kind: 'copies', verbs: ['clone', 'restore'] },
] as const)('a pool with $kind', ({ kind, verbs }) => {
  let node: CsiNode;
  let driver: CsiProcess;
  beforeAll(async () => {
    node = await createCsiNode(program);
    if (kind === 'reflinks') await mountXfsPool(node);
    await start();
    await create('source');
    const image = await open(imageOf('source'), 'r+');
    await image.write(DATA, 9 * MIB);
    await image.close();
    const parameters = { allowCopy: 'true' };
    await driver.client.call('Controller', 'CreateSnapshot', {
      ...{ name: 'taken', source_volume_id: idOf('source'), parameters },
    });
    await driver.stop();
  });
  afterAll(() => node.close());

  const start = async (wanted = ''): Promise<void> => {
    driver = await node.start({}, { [FAILPOINT_VARIABLE]: wanted });
  };
  const create = (name: string, changes: object = {}) =>
    driver.client.call('Controller', 'CreateVolume', {
      ...{ name, capacity_range: { required_bytes: SIZE }, volume_capabilities: [writer] },
      ...changes,
    });
  const remove = (id: string) => driver.client.call('Controller', 'DeleteVolume', { volume_id: id });
  const inPool = (...path: readonly string[]) => [`${node.root}${node.pool}`, ...path].join('/');
  const imageOf = (name: string) => inPool('volumes', idOf(name), VOLUME_FILES.image);

  async function run(verb: Verb): Promise<unknown> {
    const { client } = driver;
    switch (verb) {
      case 'clone':
        return create('tested', { volume_content_source: { volume: { volume_id: idOf('source') } } });
      case 'restore': {
        const snapshot = { snapshot_id: toSnapshotId('main', KEY, 'taken') };
        return create('tested', { volume_content_source: { snapshot } });
      }
      case 'make thick':
        return create('tested', { parameters: { provisioning: 'thick' } });
      case 'expand':
      case 'expand thick': {
        const capacity_range = { required_bytes: LARGER };
        return client.call('Controller', 'ControllerExpandVolume', { volume_id, capacity_range });
      }
      case 'limit':
        return client.call('Controller', 'ControllerModifyVolume', { volume_id, mutable_parameters: { iops: '100' } });
    }
  }

  /** A copy goes on without a verb that asks: whoever asks meanwhile is told so. */
  async function repeat(verb: Verb): Promise<void> {
    for (;;) {
      try {
        await run(verb);
        return;
      } catch (error) {
        if ((error as { code?: number }).code !== status.ABORTED) throw error;
        await setTimeout(10);
      }
    }
  }

  async function readSpec(id: string): Promise<VolumeSpec> {
    return volumeSpecRecord.decode(await readFile(inPool('volumes', id, VOLUME_FILES.spec), 'utf8'), id);
  }

  /** What is there is there as a whole, and what is listed is what is there. Answers the record of `tested`. */
  async function expectNothingHalf(): Promise<VolumeSpec | undefined> {
    for (const place of ['incoming', 'trash']) expect(await readdir(inPool(place)), place).toEqual([]);
    const ids = (await readdir(inPool('volumes'))).sort();
    expect(ids).toContain(idOf('source'));
    const { entries } = await driver.client.call('Controller', 'ListVolumes');
    const specs = await Promise.all(ids.map(readSpec));
    expect(entries.map(({ volume }) => [volume.volume_id, Number(volume.capacity_bytes)])).toEqual(
      specs.map((spec) => [spec.volumeId, spec.capacityBytes]),
    );
    for (const spec of specs) {
      const files = (await readdir(inPool('volumes', spec.volumeId))).filter((name) => !name.endsWith('.tmp'));
      expect(files.sort()).toEqual(Object.values(VOLUME_FILES).sort());
      const { size, blocks } = await stat(imageOf(spec.name));
      expect(size).toBeGreaterThanOrEqual(spec.capacityBytes);
      if (spec.class.provisioning === 'thick') expect(blocks * 512).toBeGreaterThanOrEqual(spec.capacityBytes);
      if (spec.source !== undefined || spec.name === 'source') await expectData(spec.name);
    }
    return specs.find(({ name }) => name === 'tested');
  }

  async function expectData(name: string): Promise<void> {
    const image = await open(imageOf(name));
    const { buffer } = await image.read(Buffer.alloc(DATA.length), 0, DATA.length, 9 * MIB);
    await image.close();
    expect(buffer.toString()).toBe(DATA);
  }

  async function expectDone(verb: Verb): Promise<void> {
    const spec = await expectNothingHalf();
    expect(spec?.capacityBytes).toBe(verb.startsWith('expand') ? LARGER : SIZE);
    expect(spec?.limits.iops).toBe(verb === 'limit' ? 100 : 0);
    expect(await readdir(inPool('copies'))).toEqual([]);
    expect((await readdir(inPool('volumes', volume_id))).sort()).toEqual(Object.values(VOLUME_FILES).sort());
  }

  /** A driver that has nothing to do but the verb, so that passes are counted the same each time. */
  async function startFor(verb: Verb, wanted: string): Promise<void> {
    if (!isMaking(verb)) {
      await start();
      await create('tested', verb === 'expand thick' ? { parameters: { provisioning: 'thick' } } : {});
      await driver.stop();
    }
    await start(wanted);
  }

  /** What the verb passes without a crash. */
  async function passesOf(verb: Verb): Promise<Pass[]> {
    await startFor(verb, LIST_FAILPOINTS);
    const before = parsePasses(driver.log.join('\n')).length;
    await run(verb);
    await expectDone(verb);
    const passes = parsePasses(driver.log.join('\n')).slice(before);
    await remove(volume_id);
    await driver.stop();
    return passes;
  }

  it.each(verbs)(
    'killed at any point, it can %s again',
    async (verb) => {
      for (const pass of await passesOf(verb)) {
        await startFor(verb, pass);
        await expect(run(verb), pass).rejects.toMatchObject({ code: status.UNAVAILABLE });
        expect(await driver.ended(), pass).toBe('SIGKILL');
        expect(driver.log.at(-1)).toBe(`${FAILPOINT_MARK}${pass} kills`);
        await start();
        // The copy of a snapshot has gone on by itself, and may be placed at any moment.
        if (kind === 'reflinks' || verb !== 'restore') await expectNothingHalf();
        await repeat(verb);
        await expectDone(verb);
        await remove(volume_id);
        expect(await expectNothingHalf()).toBeUndefined();
        await driver.stop();
      }
    },
    240_000,
  );
});
