import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createScratch, removeScratch } from '../../deploy/demo/scratch.ts';
import { failedRules } from './cni/report.ts';
import { RULES } from './cni/rules.ts';
import { runRules } from './cni/run-rules.ts';

/** Says yes to everything, and cleans up nothing. */
const YES = `
cat >/dev/null
case $CNI_COMMAND in
VERSION) echo '{"cniVersion": 1, "supportedVersions": ["0.3.1", "0.4.0", "1.1.0"]}' ;;
ADD)
  test -e "$CNI_NETNS" && ip -n $CNI_CONTAINERID link add $CNI_IFNAME address 02:00:00:00:00:07 type bridge
  touch /run/leak-$CNI_CONTAINERID
  echo '{
    "cniVersion": "0.3.0",
    "interfaces": [{"name": "'$CNI_IFNAME'", "mac": "02:00:00:00:00:08", "sandbox": "'$CNI_NETNS'"}],
    "ips": [{"address": "10.88.0.2/24", "interface": 0}]
  }' ;;
STATUS) touch /run/leak-pod-1-of-conformance-$$; echo ready ;;
GC) rm -f /run/leak-* ;;
esac
exit 0`;

/** Says no to everything but VERSION, and not even in JSON. */
const NO = `
cat >/dev/null
test "$CNI_COMMAND" = VERSION && echo '{"cniVersion": "1.1.0", "supportedVersions": ["0.3.1", "1.1.0"]}' && exit
echo no
exit 1`;

/** Of a chain: what makes the interface. */
const PREVIOUS_PLUGIN = `#!/bin/sh
cat >/dev/null
test "$CNI_COMMAND" = VERSION && echo '{"supportedVersions": ["0.3.1", "0.4.0", "1.1.0"]}' && exit
ip -n $CNI_CONTAINERID link add $CNI_IFNAME type bridge
echo '{
  "cniVersion": "1.1.0",
  "interfaces": [{"name": "eth0", "sandbox": "'$CNI_NETNS'"}],
  "ips": [{"address": "10.88.0.9/24", "interface": 0}]
}'
`;

interface Mutant {
  readonly script: string;
  readonly before: readonly { readonly type: string }[];
  readonly only?: readonly string[];
}

/** Plugins that are wrong about nearly everything, each in its own way. */
const MUTANTS: readonly Mutant[] = [
  { script: YES, before: [] },
  { script: YES, before: [{ type: 'previous' }] },
  { script: NO, before: [] },
  { script: 'exit 1', before: [], only: ['version-lists', 'version-without-input'] },
];

it('every rule can fail', { timeout: 240_000 }, async () => {
  const scratch = await createScratch();
  try {
    const failed = new Set<string>();
    await writeProgram(join(scratch, 'previous'), PREVIOUS_PLUGIN);
    for (const [index, { script, ...mutant }] of MUTANTS.entries()) {
      const plugin = join(scratch, `mutant-${index}`);
      await writeProgram(plugin, `#!/bin/sh\n${script}\n`);
      const around = { pluginDirectories: [scratch], prepare: undefined, ifName: 'eth0' };
      const report = await runRules({ plugin, config: { type: 'mutant' }, ...mutant, ...around });
      for (const { id } of failedRules(report)) failed.add(id);
    }
    expect(RULES.map(({ id }) => id).filter((id) => !failed.has(id))).toEqual([]);
  } finally {
    await removeScratch(scratch);
  }
});

async function writeProgram(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  await chmod(path, 0o755);
}
