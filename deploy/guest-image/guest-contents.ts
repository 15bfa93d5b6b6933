import { type DebianTree, DOCUMENTATION_PATHS } from '../setup/debian.ts';

/** Modules of the initrd: what every pod VM loads to find its root, its volumes, its channels and its network. */
export const BOOT_MODULES: readonly string[] = [
  'virtio_pci',
  'virtio_blk',
  'virtio_console',
  'virtio_net',
  'erofs',
  'overlay',
  'ext4',
  '9p',
  '9pnet_virtio',
];

/** Modules of the root image, which modprobe loads when a volume asks for them. */
export const ROOT_MODULES: readonly string[] = [...BOOT_MODULES, 'btrfs', 'xfs'];

/** Debian packages of the root, besides the minimal base that they need to be installed. */
const PACKAGES: readonly string[] = ['btrfs-progs', 'crun', 'e2fsprogs', 'kmod', 'mount', 'util-linux', 'xfsprogs'];

/**
 * What the base and maintainer scripts needed while packages were installed and a guest that installs nothing does not:
 * package management, perl, python (of a health check of xfsprogs) and their data. Shell patterns below the root.
 */
const UNUSED_PATHS: readonly string[] = [
  'etc/{apt,cron.d,cron.daily,dpkg,init.d,logrotate.d,python3*,rc?.d,update-motd.d}',
  'etc/{.pwd.lock,group-,gshadow-,passwd-,shadow-}',
  'usr/bin/{apt*,deb*,dpkg*,lslogins,pdb3*,perl*,py3*,pydoc*,pygettext*,python*,sqv}',
  'usr/bin/btrfs-{convert,find-root,image,map-logical}',
  'usr/sbin/xfs_scrub*',
  'usr/lib/{apt,dpkg,lsb,python3*,systemd,udev,valgrind}',
  'usr/lib/x86_64-linux-gnu/{gconv,glib-2.0,libapt-*,libdb-*,libicu*,liblastlog2*,libreiserfscore*,libsqlite3*,perl*}',
  'usr/lib/x86_64-linux-gnu/{libgio-*,libglib-*,libgmodule-*,libgobject-*,libgthread-*,security/pam_userdb.so}',
  'usr/libexec/{apt,dpkg}',
  'usr/share/{bash-completion,bug,common-licenses,debconf,doc-base,dpkg,fish,gcc,gdb,i18n,initramfs-tools,keyrings,perl5}',
  'usr/share/{pixmaps,polkit-1,python*,zoneinfo,zsh}',
  'var/cache/*',
  'var/lib/{apt,python,systemd}',
  'var/log/*',
];

/**
 * The kernel is unpacked into the directory BERTH_OUT, never installed: its maintainer scripts would want a boot loader.
 */
const FETCH_KERNEL = [
  'set -eu',
  'export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"',
  'cd "$BERTH_OUT"',
  "kernel=$(apt-cache depends --important linux-image-amd64 | sed -n 's/^ *Depends: //p')",
  'apt-get --quiet=2 --option APT::Sandbox::User=root download "$kernel"',
  'dpkg-deb --extract "$kernel"_*.deb kernel',
  'rm "$kernel"_*.deb',
].join('\n');

/**
 * Shell script (bash), run in the installed tree: makes it the immutable root of any number of guests. The agent writes
 * the pod's resolv.conf to /run; the empty machine-id marks a root that no machine owns. Host name and resolv.conf that
 * mmdebstrap copied from the building host must not enter the image.
 */
export const MAKE_IMMUTABLE = [
  'set -eu',
  'shopt -s nullglob',
  `rm -rf -- ${UNUSED_PATHS.join(' ')}`,
  'ln -sfn ../run/resolv.conf etc/resolv.conf',
  ': >etc/machine-id',
  'echo berth >etc/hostname',
  'mkdir -p dev proc sys run tmp mnt var/log var/tmp',
  'find dev run tmp var/tmp -mindepth 1 -delete',
].join('\n');

export const GUEST_TREE: DebianTree = {
  variant: 'minbase',
  packages: PACKAGES,
  excludedPaths: DOCUMENTATION_PATHS,
  customize: [FETCH_KERNEL],
};
