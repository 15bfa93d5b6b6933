import { ROOT_SERIAL } from '../../proto/guest-layout.ts';
import { forgive } from '../system/native/errors.ts';
import { ensureDirectory } from '../system/native/file.ts';
import { O, sys } from '../system/native/sys.ts';
import { withOpen } from '../system/native/with-open.ts';
import { changeLink, findLink } from '../system/netlink/link.ts';
import { openNetlink } from '../system/netlink/socket.ts';
import { awaitDisk } from './disk.ts';
import { readText } from './files.ts';
import { MS } from './mount-flags.ts';

const NEW_ROOT = '/newroot';
/** Of everything that the agent makes; see proto/guest-layout.ts. */
const OWN_DIRECTORY = '/run/berth';
const HARDENED = MS.NOSUID | MS.NODEV | MS.NOEXEC;

interface KernelMount {
  readonly type: string;
  readonly target: string;
  readonly flags: number;
  readonly data?: string;
}

/** Needed to find the root; they move along to it. */
const FIRST: readonly KernelMount[] = [
  { type: 'proc', target: '/proc', flags: HARDENED },
  { type: 'sysfs', target: '/sys', flags: HARDENED },
  { type: 'devtmpfs', target: '/dev', flags: MS.NOSUID, data: 'mode=0755' },
];

/** What the read-only root needs to be lived in. */
const REST: readonly KernelMount[] = [
  { type: 'tmpfs', target: '/run', flags: MS.NOSUID | MS.NODEV, data: 'mode=0755' },
  { type: 'tmpfs', target: '/tmp', flags: MS.NOSUID | MS.NODEV, data: 'mode=1777' },
  { type: 'devpts', target: '/dev/pts', flags: MS.NOSUID | MS.NOEXEC, data: 'ptmxmode=0666,mode=0620,gid=5' },
  { type: 'mqueue', target: '/dev/mqueue', flags: HARDENED },
  { type: 'tmpfs', target: '/dev/shm', flags: MS.NOSUID | MS.NODEV, data: 'mode=1777' },
  { type: 'cgroup2', target: '/sys/fs/cgroup', flags: HARDENED, data: 'nsdelegate' },
];

/** From the initrd to a root that programs can live in. PID 1 is still the initrd's; everything else is the disk's. */
export async function bootGuest(): Promise<void> {
  for (const mount of FIRST) mountKernel(mount);
  openConsole();
  const modules = (readText('/modules.list') ?? '').split('\n').filter(Boolean);
  for (const module of modules) loadModule(module);
  const disk = await awaitDisk(ROOT_SERIAL);
  sys.mount(disk, NEW_ROOT, 'erofs', MS.RDONLY, null);
  // They lie in memory, and nothing reads them again.
  for (const module of modules) sys.unlink(module);
  enterRoot();
  for (const mount of REST) mountKernel(mount);
  ensureDirectory(OWN_DIRECTORY, 0o755);
  startLoopback();
}

function mountKernel({ type, target, flags, data }: KernelMount): void {
  ensureDirectory(target, 0o755);
  sys.mount(type, target, type, flags, data ?? null);
}

/** Standard output and error of PID 1: the console of the mounted /dev, whether or not the kernel found one before. */
function openConsole(): void {
  const console = sys.open('/dev/console', O.RDWR);
  for (const standard of [0, 1, 2]) sys.dup2(console, standard);
  if (console > 2) sys.close(console);
}

function loadModule(path: string): void {
  withOpen(path, O.RDONLY, (fd) => forgive(['EEXIST'], undefined, () => sys.finitModule(fd, '')));
}

/**
 * The root of the initrd cannot be unmounted or pivoted; the new root is moved over it (switch_root(8)). The kernel's
 * threads share our root, so it finds /sbin/modprobe there too.
 */
function enterRoot(): void {
  for (const { target } of FIRST) sys.mount(target, `${NEW_ROOT}${target}`, null, MS.MOVE, null);
  sys.chdir(NEW_ROOT);
  sys.mount(NEW_ROOT, '/', null, MS.MOVE, null);
  sys.chroot('.');
  sys.chdir('/');
}

function startLoopback(): void {
  const netlink = openNetlink();
  try {
    const loopback = findLink(netlink, 'lo');
    if (loopback !== undefined) changeLink(netlink, loopback, { up: true });
  } finally {
    netlink.close();
  }
}
