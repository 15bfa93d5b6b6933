import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

const CONFLISTS = 'deploy/cni';
/** File there -> file here. */
const FILES: Readonly<Record<string, string>> = {
  LICENSE: 'LICENSE',
  NOTICE: 'NOTICE',
  'README.md': `${CONFLISTS}/README.md`,
};
/** Of every file, so that the same sources give the same bytes: 1980, the earliest that all archives can say. */
const TIME = '@315532800';

export interface Tarball {
  readonly path: string;
  readonly sha256: string;
}

/** Puts the plugin with its licences and examples into `<directory>/berth-cni-<version>-linux-amd64.tar.gz`. */
export async function packCni(plugin: string, directory: string): Promise<Tarball> {
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { readonly version: string };
  const name = `berth-cni-${version}-linux-amd64`;
  const scratch = await mkdtemp(join(tmpdir(), 'berth-release-'));
  try {
    const root = join(scratch, name);
    await mkdir(join(root, 'conflists'), { recursive: true });
    await place(plugin, join(root, 'berth'), 0o755);
    for (const [there, here] of Object.entries(FILES)) await place(here, join(root, there), 0o644);
    for (const list of (await readdir(CONFLISTS)).filter((file) => file.endsWith('.conflist'))) {
      await place(join(CONFLISTS, list), join(root, 'conflists', list), 0o644);
    }
    for (const each of [root, join(root, 'conflists')]) await chmod(each, 0o755);
    await mkdir(directory, { recursive: true });
    const path = join(directory, `${name}.tar.gz`);
    await pack(scratch, name, `${path}.tmp`);
    await rename(`${path}.tmp`, path);
    const sha256 = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    return { path, sha256 };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function place(from: string, to: string, mode: number): Promise<void> {
  await copyFile(from, to);
  await chmod(to, mode);
}

/** Neither order, owner, time nor umask of here are in it. */
async function pack(parent: string, name: string, output: string): Promise<void> {
  const owner = ['--owner=0', '--group=0', '--numeric-owner'];
  const args = ['--create', '--format=ustar', '--sort=name', `--mtime=${TIME}`, ...owner, '--directory', parent, name];
  await execa('tar', args).pipe('gzip', ['-9', '-n'], { stdout: { file: output } });
}
