import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createScratch, removeScratch } from '../../deploy/demo/scratch.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { failedRules } from './cni/report.ts';
import { runRules } from './cni/run-rules.ts';

const RULES = [
  'version-echoes',
  'version-is-true',
  'error-form',
  'add-result-form',
  'check-after-add',
  'gc-keeps-valid',
];

/** Makes the interface, in these versions alone: Debian 12's plugins know none after 1.0.0. */
const makeOldPlugin = (versions: readonly string[]): string => `#!/bin/sh
config=$(cat)
version=$(echo "$config" | sed 's/.*"cniVersion":"\\([^"]*\\)".*/\\1/')
case $CNI_COMMAND in
VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ${JSON.stringify(versions)}}' ;;
ADD)
  case " ${versions.join(' ')} " in
  *" $version "*) ;;
  *) echo '{"cniVersion": "1.0.0", "code": 1, "msg": "incompatible CNI versions"}'; exit 1 ;;
  esac
  ip -n $CNI_CONTAINERID link add $CNI_IFNAME type veth peer name peer0
  ip -n $CNI_CONTAINERID link set $CNI_IFNAME up
  echo '{"cniVersion": "'$version'", "interfaces": [{"name": "'$CNI_IFNAME'", "sandbox": "'$CNI_NETNS'"}]}' ;;
esac
`;

let scratch: string;
beforeAll(async () => {
  scratch = await createScratch();
});
afterAll(() => removeScratch(scratch));

async function lookAfter(name: string, versions: readonly string[]) {
  const directory = join(scratch, name);
  await mkdir(directory);
  await writeFile(join(directory, 'old'), makeOldPlugin(versions));
  await chmod(join(directory, 'old'), 0o755);
  return runRules({
    plugin: join(findPrograms().cniDirectory, 'berth'),
    config: { type: 'berth' },
    before: [{ type: 'old' }],
    pluginDirectories: [directory],
    prepare: undefined,
    ifName: 'eth0',
    only: RULES,
  });
}

it('looks at a plugin in the versions that the chain before it knows, and names the others', async () => {
  const report = await lookAfter('older', ['0.1.0', '0.4.0', '1.0.0']);
  expect(failedRules(report)).toEqual([]);
  expect(report.rules.at(-1)).toMatchObject({
    outcome: 'not applicable',
    notes: ['no version that is looked at has GC'],
  });
  expect(report.supportedVersions).toEqual(['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0']);
  const untested = ['0.3.0', '0.3.1', '1.1.0'].map((version) => ({ version, unknownTo: 'old' }));
  expect(report.untestedVersions).toEqual(untested);
});

it.each([
  ['too-old', ['0.1.0', '0.2.0'], 'none from 0.3.0 on'],
  ['too-new', ['9.0.0'], 'none from 0.3.0 on'],
])('refuses a chain without a common version: %s', async (name, versions, known) => {
  await expect(lookAfter(name, versions)).rejects.toThrow(`the plugins before it (old: ${known}); --cni-path`);
});
