import { access } from 'node:fs/promises';
import { execa } from 'execa';
import { Fault } from '../../proto/fault.ts';
import { contained } from './contained.ts';

const SUITE = 'trixie';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const SUITE_KEY = `/usr/share/keyrings/debian-archive-${SUITE}-stable.gpg`;
const MIRROR = 'http://deb.debian.org/debian';
/** Start of 2025: the day that maintainer scripts write into files, so that it is not the day of the build. */
const SOURCE_DATE_EPOCH = '1735689600';
const SECURITY_MIRROR = 'http://security.debian.org/debian-security';

/** The guest and the engine come from this release; the host's own apt sources and keys are not touched. */
export const DEBIAN_SOURCES: readonly string[] = [
  `deb [signed-by="${KEYRING}"] ${MIRROR} ${SUITE} main`,
  `deb [signed-by="${KEYRING}"] ${MIRROR} ${SUITE}-updates main`,
  `deb [signed-by="${KEYRING}"] ${SECURITY_MIRROR} ${SUITE}-security main`,
];

/** Nobody reads manuals in a chroot or in a guest; they would be most of its files. */
export const DOCUMENTATION_PATHS: readonly string[] = [
  '/usr/share/doc/*',
  '/usr/share/info/*',
  '/usr/share/lintian/*',
  '/usr/share/locale/*',
  '/usr/share/man/*',
];

export interface DebianTree {
  /** As mmdebstrap(1) has them; `extract` unpacks and configures nothing. */
  readonly variant: 'apt' | 'minbase' | 'extract';
  readonly packages: readonly string[];
  /** dpkg path globs that are not unpacked. */
  readonly excludedPaths: readonly string[];
  /** Shell commands, run on the host with the tree's path as `$1` when all packages are configured. */
  readonly customize?: readonly string[];
}

/** The arguments of mmdebstrap that decide what is in the tree: also what a cache key is made of. */
export const debianArguments = (tree: DebianTree): string[] => [
  '--mode=root',
  `--variant=${tree.variant}`,
  `--include=${tree.packages.join(',')}`,
  ...tree.excludedPaths.map((path) => `--dpkgopt=path-exclude=${path}`),
  ...(tree.customize ?? []).map((hook) => `--customize-hook=${hook}`),
];

/** Installs Debian packages of the guest's release below `directory`, which is empty. Hooks see `environment`. */
export async function installDebianTree(
  directory: string,
  tree: DebianTree,
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  await checkKeyring();
  const argv = ['mmdebstrap', ...debianArguments(tree), SUITE, directory, ...DEBIAN_SOURCES];
  const env = { LC_ALL: 'C', SOURCE_DATE_EPOCH, ...environment };
  const result = await execa(...contained(argv), { reject: false, all: true, stdin: 'ignore', env });
  if (!result.failed) return;
  throw new Fault('exec', `mmdebstrap could not install ${tree.packages.length} packages of Debian ${SUITE}`, {
    cause: new Error((result.all ?? '').trim().split('\n').slice(-20).join('\n') || result.shortMessage),
  });
}

/** Before anything is downloaded: apt would say only that a signature is not known. */
export async function checkKeyring(): Promise<void> {
  try {
    await access(SUITE_KEY);
  } catch {
    throw new Fault(
      'environment',
      `${SUITE_KEY} is missing, so packages of Debian ${SUITE} cannot be verified; upgrade the package debian-archive-keyring`,
    );
  }
}
