import { lstat, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { queryPackages } from '../setup/dpkg-query.ts';

const DATABASE = 'var/lib/dpkg';
/** Licences stay when the rest of a package is removed. */
const DOCUMENTATION = '/usr/share/doc/';

/**
 * The Debian packages of which a file is left in `tree`, `name=version`, sorted; then removes dpkg's database, which a
 * guest that installs nothing does not need. A scanner of vulnerabilities should hear of no package that is not there.
 */
export async function takePackages(tree: string): Promise<string[]> {
  const admin = join(tree, DATABASE);
  const present: string[] = [];
  for (const [file, name, version] of await queryPackages(['binary:Package', 'Package', 'Version'], [], admin)) {
    const paths = (await readFile(join(admin, 'info', `${file}.list`), 'utf8')).split('\n');
    if (await anyFileLeft(tree, paths)) present.push(`${name}=${version}`);
  }
  await rm(admin, { recursive: true });
  return present.sort();
}

async function anyFileLeft(tree: string, paths: readonly string[]): Promise<boolean> {
  for (const path of paths) {
    if (path === '' || path.startsWith(DOCUMENTATION)) continue;
    const stat = await lstat(join(tree, path)).catch(() => undefined);
    if (stat !== undefined && !stat.isDirectory()) return true;
  }
  return false;
}
