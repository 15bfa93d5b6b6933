import { DEFAULT_RUN_DIRECTORY } from '../../proto/paths.ts';

export const VOLUME_HELP = `berth volume: the volumes of this node

Usage: berth volume ls [FLAGS]
       berth volume inspect VOLUME [FLAGS]
       berth volume fsck VOLUME [--repair none|safe] [FLAGS]
       berth volume rescue VOLUME [--zero-log] [--no-copy] [FLAGS]
       berth volume rescue VOLUME --back-to COPY [FLAGS]
       berth volume trim VOLUME [FLAGS]
       berth volume export VOLUME FILE [FLAGS]
       berth volume import FILE --name NAME --pool NAME=image-file:DIR [FLAGS]
       berth volume delete VOLUME --confirm NAME --pool NAME=image-file:DIR [FLAGS]

ls and inspect show the volumes that are published on this node and, of the pools that are named, the others too. They
read records; they open no disk and take no lease. FORMATTED says what berth did to the disk: "never" is blank,
"formatting" has no data yet, "formatted" and "raw" are never formatted again. USED BY is the pod whose VM has the disk.

fsck checks the file system of a volume that no pod uses, prints what the checking program says, and ends with status 0
if all is well afterwards, 1 if not. rescue repairs one that fsck and a pod's start do not, and answers every question
of the repair with yes: what it cannot mend, it drops. It copies the disk before, beside it, and prints the copy's name;
--back-to puts that in the place of the disk, which becomes a copy itself. Copies take space, which no limit of the pool
counts; rm them when they are not needed, or they go with the volume. Of btrfs, berth repairs only the superblocks, and
with --zero-log the log. trim gives blocks that the file system does not use back to the pool; a pod that runs with the
volume does it itself. These three boot a VM of their own where they need one: the host looks into no disk.

export copies the disk of a volume that no pod writes to a new FILE, a raw image with holes where there is nothing.
import makes a volume of an existing raw image, through berth-csi, and prints the PersistentVolume that brings it into
a cluster (kubectl apply -f -). The image is never formatted, whatever is in it. An import that fails leaves nothing;
one that was killed is begun anew by the same command.
delete removes a volume, and its data, that Kubernetes does not know, or not any more: one that was imported, or one
that its PersistentVolume left behind (reclaim policy Retain). What Kubernetes knows is deleted by its claim.

  --pool NAME=image-file:DIR  a pool, as berth-csi was given it; may be repeated
  --json                      everything that is recorded, as JSON (ls, inspect)
  --run-dir DIR               default ${DEFAULT_RUN_DIRECTORY}
  --repair none|safe          of fsck: only look; mend what loses nothing. Default none
  --zero-log                  of rescue: drop a log that cannot be replayed (xfs, btrfs), and the last writes with it
  --no-copy                   of rescue: without a copy of the disk before
  --back-to COPY              of rescue: the name of a copy, as rescue and inspect print it
  --memory MIB                of the VM; a large file system needs more to be checked; default 512
  --accelerator auto|kvm|tcg  of the VM; default auto
  --boot-timeout S            what its guest may take to say hello; default 60
  --guest DIR                 kernel, initrd and root image; default: the build's
  --qemu PATH                 default: qemu-system-x86_64 of the PATH
  --name NAME                 of the PersistentVolume that import prints
  --fs ext4|xfs|btrfs         of the image that is imported, which is refused if it is another; default: what it is
  --confirm NAME              of delete: the volume's name, as inspect prints it
  --endpoint unix:///PATH     where berth-csi listens, for import and delete; default unix:///run/berth/csi.sock

Examples:
  berth volume ls --pool fast=image-file:/srv/berth
  berth volume inspect fast.0a1b2c3d4e5f.pvc-1
  berth volume fsck fast.0a1b2c3d4e5f.pvc-1 --repair safe --pool fast=image-file:/srv/berth
`;
