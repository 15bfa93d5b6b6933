import { execa } from 'execa';
import { Fault } from '../../proto/fault.ts';

/**
 * Rows of dpkg's database (dpkg-query(1)), one per package, with the asked fields in order. A name that dpkg has never
 * heard of has no row. `adminDirectory` is the database of another root than this machine's.
 */
export async function queryPackages(
  fields: readonly string[],
  names: readonly string[],
  adminDirectory = '/var/lib/dpkg',
): Promise<string[][]> {
  const format = `${fields.map((field) => `\${${field}}`).join('\\t')}\\n`;
  const argv = [`--admindir=${adminDirectory}`, '--show', `--showformat=${format}`, ...names];
  const result = await execa('dpkg-query', argv, { reject: false, env: { LC_ALL: 'C' } });
  // 1: one of the names is unknown.
  if (result.exitCode !== 0 && result.exitCode !== 1) {
    throw new Fault('environment', 'dpkg-query does not work here; berth is set up on Debian 12', { cause: result });
  }
  return result.stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')]));
}
