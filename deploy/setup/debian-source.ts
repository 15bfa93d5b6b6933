import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { Fault } from '../../proto/fault.ts';
import { contained } from './contained.ts';
import { checkKeyring, DEBIAN_SOURCES } from './debian.ts';

/**
 * Downloads a source package into `directory`, packed, verified as binary packages are. apt works in a directory of its
 * own: the sources and lists of this machine are not touched.
 */
export async function downloadSource(directory: string, name: string, version: string): Promise<void> {
  await checkKeyring();
  const apt = await mkdtemp(join(tmpdir(), 'berth-apt-'));
  try {
    for (const part of ['state/lists/partial', 'cache/archives/partial'])
      await mkdir(join(apt, part), { recursive: true });
    const sources = DEBIAN_SOURCES.map((line) => line.replace(/^deb /, 'deb-src '));
    await writeFile(join(apt, 'sources.list'), `${sources.join('\n')}\n`);
    const settings = [
      ...[`Dir::Etc::SourceList=${apt}/sources.list`, 'Dir::Etc::SourceParts=/dev/null'],
      ...[`Dir::State=${apt}/state`, `Dir::Cache=${apt}/cache`, 'APT::Sandbox::User=root'],
    ];
    const argv = ['apt-get', '--quiet', ...settings.flatMap((setting) => ['--option', setting])];
    for (const verb of [['update'], ['source', '--download-only', `${name}=${version}`]]) {
      const command = contained([...argv, ...verb]);
      const result = await execa(...command, { reject: false, stdin: 'ignore', cwd: directory, env: { LC_ALL: 'C' } });
      if (!result.failed) continue;
      throw new Fault('exec', `apt-get ${verb[0]} failed; the source of ${name} ${version} is wanted`, {
        cause: new Error(result.stderr.trim() || result.shortMessage),
      });
    }
  } finally {
    await rm(apt, { recursive: true, force: true });
  }
}
