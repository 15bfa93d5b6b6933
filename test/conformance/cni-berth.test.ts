import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { needGoTool } from '../support/go-tool.ts';
import { REFERENCE_PLUGINS } from '../support/reference-plugins.ts';
import { runRules } from './cni/run-rules.ts';

/** What makes the interface, and how berth's plugin then wires it. */
const ROWS = [
  { first: 'ptp', config: { type: 'berth' } },
  { first: 'bridge', config: { type: 'berth', mode: 'macvtap' } },
] as const;

it.for(ROWS)(
  "berth's plugin after $first, as $config, keeps every rule",
  { timeout: 300_000 },
  async (row, context) => {
    const pluginDirectories = [dirname(await needGoTool(row.first, context))];
    const { rules, supportedVersions } = await runRules({
      plugin: join(findPrograms().cniDirectory, 'berth'),
      config: row.config,
      before: [REFERENCE_PLUGINS[row.first].config],
      pluginDirectories,
      prepare: undefined,
      ifName: 'eth0',
    });
    expect(supportedVersions).toEqual(['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0']);
    expect(rules.filter(({ outcome }) => outcome === 'fails')).toEqual([]);
    // Both are about a plugin that makes the interface itself.
    const notApplicable = rules.filter(({ outcome }) => outcome === 'not applicable').map(({ id }) => id);
    expect(notApplicable).toEqual(['add-existing-interface', 'check-own-address']);
  },
);
