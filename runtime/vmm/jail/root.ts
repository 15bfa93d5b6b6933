import { attempt } from '../../system/native/errors.ts';
import { AT_RECURSIVE, CLONE, MNT_DETACH, MOUNT_ATTR, MS, O, S_IF, sys } from '../../system/native/sys.ts';
import type { Bind, JailPlan } from './plan.ts';

/** The new root is made on top of it: nothing in it is ever a VM's, so that nothing which is needed gets hidden. */
export const STAGE = '/sys';
const SIZE = 'mode=0755,size=64k';

/** What this process mounts from here on, nobody else sees, and it ends with the process. */
export function leaveMounts(): void {
  attempt('could not make a mount namespace for the VMM; the root of this process must be a mount', () => {
    sys.unshare(CLONE.NEWNS);
    sys.mount(null, '/', null, MS.REC | MS.PRIVATE, null);
  });
}

/** After leaveMounts: shows this process what the plan names, and nothing else. Devices belong to `uid`. */
export function enterRoot({ links, binds, devices }: JailPlan, uid: number): void {
  attempt(`could not begin the VMM's root on ${STAGE}`, () => sys.mount('berth-jail', STAGE, 'tmpfs', 0, SIZE));
  const umask = sys.umask(0);
  for (const { path, target } of links) sys.symlink(target, `${STAGE}${path}`);
  for (const bind of binds) applyBind(bind);
  for (const { path, major, minor } of devices) {
    const node = makeParents(path);
    attempt(`could not make the VMM's ${path}`, () => {
      sys.mknod(node, S_IF.CHR | 0o600, major, minor);
      sys.chown(node, uid, uid);
    });
  }
  sys.umask(umask);
  attempt("could not make the VMM's root read-only", () =>
    sys.mountSetattr(STAGE, 0, MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID | MOUNT_ATTR.NOEXEC),
  );
  attempt("could not change to the VMM's root; that of this process must not be an initramfs's", () => {
    sys.chdir(STAGE);
    // The old root comes to lie on top of the new one, and goes: no directory is needed for it (pivot_root(2)).
    sys.pivotRoot('.', '.');
    sys.umount('.', MNT_DETACH);
    sys.chdir('/');
  });
}

function applyBind({ source, target, isDirectory, attributes }: Bind): void {
  attempt(`could not show ${source} to the VMM`, () => {
    const place = makeParents(target);
    if (isDirectory) sys.mkdir(place, 0o755);
    else sys.close(sys.open(place, O.WRONLY | O.CREAT | O.EXCL, 0o444));
    sys.mount(source, place, null, MS.BIND | MS.REC, null);
    sys.mountSetattr(place, AT_RECURSIVE, attributes);
  });
}

/** The path in the new root; the directories above it are there. */
function makeParents(path: string): string {
  const names = path.split('/').slice(1, -1);
  names.forEach((_, index) => {
    const parent = `${STAGE}/${names.slice(0, index + 1).join('/')}`;
    if (sys.lstat(parent) === null) sys.mkdir(parent, 0o755);
  });
  return `${STAGE}${path}`;
}
