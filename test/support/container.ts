/** What a container has of its node. All paths are the same inside. */
export interface ContainerPlaces {
  /** Its image, read-only. */
  readonly image: readonly string[];
  /** Directories of the node, as of hostPath volumes. */
  readonly mounted: readonly string[];
  /** The same with `mountPropagation: Bidirectional`; on the node they are shared mounts, or nothing gets out. */
  readonly propagated: readonly string[];
}

/**
 * Argument prefix that runs a command, on a node, as a container runtime would: a root of its own, and namespaces of its
 * own for mounts, processes, IPC and the host name. The command is process 1 in it.
 */
export function containerPrefix({ image, mounted, propagated }: ContainerPlaces): readonly string[] {
  return [
    ...['unshare', '--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child', '--propagation', 'unchanged'],
    ...['env', `IMAGE=${image.join(' ')}`, `MOUNTED=${mounted.join(' ')}`, `PROPAGATED=${propagated.join(' ')}`],
    ...['sh', '-c', ENTER, 'sh'],
  ];
}

/** The old root is a slave before it is unmounted, so that the node keeps its mounts. */
const ENTER = `
set -e
mount -t tmpfs container /mnt
cd /mnt
mkdir dev node proc sys tmp
for name in bin lib lib64 sbin; do cp --no-dereference /$name .; done
for path in $IMAGE; do mkdir -p .$path; mount --bind -o ro $path .$path; done
for path in $MOUNTED; do mkdir -p .$path; mount --bind $path .$path; done
for path in $PROPAGATED; do mkdir -p .$path; mount --rbind $path .$path; done
for path in dev sys; do mount --rbind /$path $path; done
mount -t proc proc proc
pivot_root . node
mount --make-rslave /node
umount --lazy /node
rmdir /node
unset IMAGE MOUNTED PROPAGATED
cd /
exec "$@"
`;
