import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { worldCommand } from '../../deploy/demo/world.ts';

/** Runs "$@" in a chroot whose root is no mount point, in a mount namespace of its own; $1 is how mounts are shared. */
const IN_CHROOT = `
set -e
mount --make-rprivate /
mount -t tmpfs berth-chroot /mnt
mount "--make-$1" /mnt
shift
mkdir /mnt/root
cd /mnt/root
mkdir proc run usr
mount -t proc proc proc
mount --bind /usr usr
for name in bin sbin lib lib64; do [ ! -L "/$name" ] || ln -s "$(readlink "/$name")" "$name"; done
exec chroot . "$@"
`;
const inChroot = (sharing: 'private' | 'shared', ...argv: string[]) =>
  promisify(execFile)('unshare', ['--mount', 'sh', '-c', IN_CHROOT, 'sh', sharing, ...argv], { encoding: 'utf8' });

describe('a world', () => {
  it('is on its own', async () => {
    const [file = '', ...args] = worldCommand(['sh', '-c', 'echo $(ls /run), $(ip -brief link | wc -l) interface']);
    const { stdout } = await promisify(execFile)(file, args, { encoding: 'utf8' });
    expect(stdout).toBe('tmp, 1 interface\n');
  });

  it('is made in a chroot too, with a root that is a mount', async () => {
    const list = ['findmnt', '--noheadings', '--output', 'PROPAGATION,SOURCE', '--target'];
    const argv = worldCommand(['sh', '-c', '"$@" / && "$@" /run | tail -n 1', 'sh', ...list], 'unchanged');
    const { stdout } = await inChroot('private', ...argv);
    expect(stdout).toMatch(/^private +berth-chroot\[\/root\]\nprivate +berth-world\n$/);
  });

  it('is refused where it would show on the host, which is left as it was', async () => {
    const argv = worldCommand(['echo', 'inside'], 'unchanged');
    const after = 'if "$@"; then exit 0; fi; grep -c berth-[rw] /proc/self/mountinfo; exit 7';
    await expect(inChroot('shared', 'sh', '-c', after, 'sh', ...argv)).rejects.toMatchObject({
      code: 7,
      stdout: '0\n',
      stderr: expect.stringContaining("make the chroot's directory a mount (mount --bind DIR DIR)"),
    });
  });
});
