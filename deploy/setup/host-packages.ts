import { join } from 'node:path';
import { execa } from 'execa';
import { Fault } from '../../proto/fault.ts';
import { cacheRoot } from './cache.ts';
import { queryPackages } from './dpkg-query.ts';
import { withMachineLock } from './machine-lock.ts';
import { report, timed } from './progress.ts';

/** Debian packages that berth, its demo and its tests run, and what for. */
const HOST_PACKAGES: Readonly<Record<string, string>> = {
  'btrfs-progs': 'mkfs.btrfs, for volumes of stock Kata',
  'busybox-static': 'the root of demo and test containers',
  'containernetworking-plugins': 'the CNI plugins that berth is chained after',
  'debian-archive-keyring': 'verifies the packages of guest and toolchain',
  e2fsprogs: 'file systems that tests plant on a volume',
  iproute2: 'ip and tc',
  iptables: 'portmap and firewall of the CNI plugins in tests run it',
  mmdebstrap: 'installs guest and toolchain into directories of their own',
  mount: 'mount and umount',
  procps: 'ps, by which tests see what is left',
  'qemu-system-x86': 'runs the pod VMs',
  'util-linux': 'flock, nsenter, unshare',
  xfsprogs: 'mkfs.xfs, for pools with reflinks in tests and volumes of stock Kata',
};

/** Names of `wanted` that no row (name, dpkg's status) shows as installed. */
export function planMissingPackages(wanted: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const installed = new Set(rows.filter(([, status]) => status === 'installed').map(([name]) => name));
  return wanted.filter((name) => !installed.has(name));
}

/** Installs what is missing, after saying what. Leaves apt's sources and keys as they are. */
export async function ensureHostPackages(): Promise<void> {
  if ((await findMissing()).length === 0) return;
  await withMachineLock(join(cacheRoot(), 'packages.lock'), async () => {
    const missing = await findMissing();
    if (missing.length === 0) return;
    report('setup: these Debian packages are missing and will be installed:');
    for (const name of missing) report(`  ${name.padEnd(28)} ${HOST_PACKAGES[name]}`);
    await timed('setup: Debian packages', () => install(missing));
  });
}

async function findMissing(): Promise<string[]> {
  const names = Object.keys(HOST_PACKAGES);
  return planMissingPackages(names, await queryPackages(['Package', 'db:Status-Status'], names));
}

/** The package lists are fetched only if the install fails without: they may be there, and the network may not. */
async function install(names: readonly string[]): Promise<void> {
  const argv = ['install', '--yes', '--no-install-recommends', '--no-remove', ...names];
  if ((await aptGet(argv)) === undefined) return;
  const failure = (await aptGet(['update'])) ?? (await aptGet(argv));
  if (failure === undefined) return;
  throw new Fault('environment', `apt-get could not install ${names.join(' ')}`, { cause: new Error(failure) });
}

/** Undefined, or the end of what apt-get said. Waits ten minutes for another program that installs packages. */
async function aptGet(argv: readonly string[]): Promise<string | undefined> {
  const result = await execa('apt-get', ['--quiet', '--option', 'DPkg::Lock::Timeout=600', ...argv], {
    reject: false,
    all: true,
    stdin: 'ignore',
    env: { LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
  });
  return result.failed ? (result.all ?? '').split('\n').slice(-15).join('\n') || result.shortMessage : undefined;
}
