import { resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';
import { runCsiSanity, type SanitySpec } from '../support/csi-sanity.ts';
import { needGoTool } from '../support/go-tool.ts';
import { mountXfsPool } from '../support/xfs-pool.ts';

let node: CsiNode | undefined;
let driver: CsiProcess | undefined;
afterEach(async () => {
  await driver?.stop();
  await node?.close();
  node = undefined;
  driver = undefined;
});

/** With a limit, so that csi-sanity sees whether one volume more is refused. */
const PUBLISH = { 'controller-publish': '', 'max-volumes-per-node': '4' };

/** What csi-sanity does not run, by the reason. Anything else that it skips is a capability that was lost. */
const NOT_RUN = {
  'csi-sanity itself leaves it out, for every driver': [
    'Controller Service > ListVolumes > pagination should detect volumes added between pages ' +
      'and accept tokens when the last volume from a page is deleted',
  ],
  'it is for CSI 1.13, and the driver has CSI 1.12': [
    'ControllerGetVolumeHealth > should fail when no volume id is provided',
    'ControllerGetVolumeHealth > should return health for a valid volume',
    'ControllerListVolumeHealth > should return appropriate response',
    'CreateSnapshot > should succeed when creating a snapshot with accessibility requirements',
    'Node Service > NodeGetStorageHealth > should return appropriate response',
    'Node Service > NodeGetVolumeHealth > should fail when no volume id is provided',
    'Node Service > NodeGetVolumeHealth > should return health for a valid volume',
  ],
} as const;

/** The other row of the table runs them. */
const WITH_PUBLISH_ONLY = [
  'Controller Service > ControllerPublishVolume > should fail when no node id is provided',
  'Controller Service > ControllerPublishVolume > should fail when no volume capability is provided',
  'Controller Service > ControllerPublishVolume > should fail when no volume id is provided',
  'Controller Service > ControllerPublishVolume > should fail when publishing more volumes than the node max attach limit',
  'Controller Service > ControllerPublishVolume > should fail when the node does not exist',
  'Controller Service > ControllerPublishVolume > should fail when the volume does not exist',
  'Controller Service > ControllerPublishVolume > should fail when the volume is already published but is incompatible',
  'Controller Service > ControllerUnpublishVolume > should fail when no volume id is provided',
  'Controller Service > volume lifecycle > should be idempotent',
  'Controller Service > volume lifecycle > should work',
];

interface Row {
  readonly name: string;
  readonly volumeMode: 'mount' | 'block';
  readonly flags: Readonly<Record<string, string>>;
  readonly reflink: boolean;
  /** What is not run beside NOT_RUN. */
  readonly others: readonly string[];
}

const ROWS: readonly Row[] = [
  ...(['mount', 'block'] as const).flatMap((volumeMode) => [
    { name: `${volumeMode} volumes`, volumeMode, flags: {}, reflink: true, others: WITH_PUBLISH_ONLY },
    { name: `${volumeMode} volumes, published`, volumeMode, flags: PUBLISH, reflink: true, others: [] },
  ]),
  { name: 'a pool that has to copy', volumeMode: 'mount', flags: PUBLISH, reflink: false, others: [] },
];

const namesOf = (specs: readonly SanitySpec[]): string[] => specs.map(({ name }) => name).sort();

describe.each(ROWS)('csi-sanity with $name', ({ volumeMode, flags, reflink, others }) => {
  it('fails nothing, and skips only what the driver cannot have', { timeout: 120_000 }, async (context) => {
    const program = await needGoTool('csi-sanity', context);
    node = await createCsiNode(resolve('dist/berth-csi.js'));
    await mountXfsPool(node, { reflink });
    driver = await node.start({ ...flags, 'log-level': 'info' });
    const specs = await runCsiSanity(node, program, driver.socket, {
      volumeMode,
      snapshotParameters: reflink ? {} : { allowCopy: 'true' },
      mutableParameters: { iops: '1000' },
    });
    const notRun = specs.filter(({ state }) => state === 'skipped' || state === 'pending');
    const failed = specs.filter((spec) => spec.state !== 'passed' && !notRun.includes(spec));
    expect.soft(failed.map(({ name, message }) => `${name}: ${message}`)).toEqual([]);
    expect.soft(namesOf(notRun)).toEqual([...Object.values(NOT_RUN).flat(), ...others].sort());
    expect.soft(specs).toHaveLength(103);
    // What csi-sanity made it has removed, so anything left was left by the driver.
    expect.soft((await node.mounts()).map(({ mountPoint }) => mountPoint)).toEqual([node.pool]);
    expect.soft(await driver.client.call('Controller', 'ListVolumes')).toMatchObject({ entries: [] });
    expect.soft(driver.log.filter((line) => /unexpected|\\n\s+at /.test(line))).toEqual([]);
  });
});
