import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, it } from 'vitest';
import { needGoTool } from '../support/go-tool.ts';
import { REFERENCE_PLUGINS } from '../support/reference-plugins.ts';
import { failedRules } from './cni/report.ts';
import { runRules } from './cni/run-rules.ts';

/** Of libcni's skeleton, on which they all are built. */
const SKELETON = [
  'version-echoes',
  'invalid-cni-containerid',
  'invalid-cni-ifname',
  'no-command',
  'error-form',
  'gc-malformed-list',
];
const CHAINED = [...SKELETON, 'prevresult-missing', 'prevresult-malformed'];

/** What is known of others' plugins. The suite is tested by it: it must go on finding just this. */
const KNOWN_FAILURES: Readonly<Record<keyof typeof REFERENCE_PLUGINS | 'tc-redirect-tap', readonly string[]>> = {
  ptp: [...SKELETON, 'gc-removes-stale'],
  bridge: [...SKELETON, 'gc-removes-stale'],
  macvlan: [...SKELETON, 'gc-removes-stale'],
  'host-device': [
    ...SKELETON,
    'version-is-true',
    'del-twice',
    'del-netns-file-gone',
    'del-netns-deleted',
    'del-never-added',
    'del-interface-gone',
    'del-after-failed-add',
    'gc-removes-stale',
  ],
  tap: [...SKELETON, 'add-existing-interface', 'gc-removes-stale'],
  bandwidth: [
    ...CHAINED,
    'add-after-del',
    'del-leaves-nothing',
    'del-twice',
    'del-without-prevresult',
    'gc-removes-stale',
    'gc-then-del-and-add',
    'parallel-containers',
  ],
  tuning: [...CHAINED, 'del-netns-deleted', 'gc-removes-stale'],
  portmap: [...CHAINED, 'netns-that-is-not', 'add-missing-interface', 'check-pod-interface', 'gc-removes-stale'],
  firewall: [
    ...CHAINED,
    'netns-that-is-not',
    'add-missing-interface',
    'check-pod-interface',
    'del-without-prevresult',
    'gc-removes-stale',
  ],
  'tc-redirect-tap': [...CHAINED, 'del-without-prevresult'],
};

/** What a killed ADD leaves depends on the moment. */
const VARYING = ['killed-add-then-del', 'killed-add-then-add'];

const NAMES = Object.keys(REFERENCE_PLUGINS) as (keyof typeof REFERENCE_PLUGINS)[];

it.for(NAMES)('the suite finds of %s what is known of it', { timeout: 300_000 }, async (name, context) => {
  const plugin = await needGoTool(name, context);
  const { config, before, ...others } = REFERENCE_PLUGINS[name];
  const report = await runRules({
    plugin,
    config,
    before,
    pluginDirectories: [dirname(plugin)],
    prepare: 'prepare' in others ? others.prepare : undefined,
    ifName: 'eth0',
  });
  const failed = failedRules(report).map(({ id }) => id);
  expect(failed.filter((id) => !VARYING.includes(id)).sort()).toEqual([...KNOWN_FAILURES[name]].sort());
});

it('the suite finds of tc-redirect-tap what is known of it', { timeout: 300_000 }, async (context) => {
  const plugin = process.env['BERTH_PEER_TC_REDIRECT_TAP'];
  if (plugin === undefined) return context.skip('BERTH_PEER_TC_REDIRECT_TAP does not name the plugin');
  expect(existsSync(plugin), `BERTH_PEER_TC_REDIRECT_TAP names ${plugin}`).toBe(true);
  const report = await runRules({
    plugin,
    config: { type: 'tc-redirect-tap' },
    before: [REFERENCE_PLUGINS.ptp.config],
    pluginDirectories: [dirname(await needGoTool('ptp', context))],
    prepare: undefined,
    ifName: 'eth0',
  });
  const failed = failedRules(report).map(({ id }) => id);
  expect(failed.filter((id) => !VARYING.includes(id)).sort()).toEqual([...KNOWN_FAILURES['tc-redirect-tap']].sort());
});
