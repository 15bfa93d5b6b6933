import { DEFAULT_RUN_DIRECTORY } from '../../proto/paths.ts';
import type { Command } from './command.ts';
import { parseRunOptions, RUN_FLAGS } from './run-options.ts';
import { runPod } from './run-pod.ts';

const HELP = `berth run: a container in a pod VM of its own, with sidecars if it has any

Usage: berth run BUNDLE [FLAGS]

BUNDLE is an OCI bundle: a directory with config.json ("runc spec" makes one) and a root file system, which the
guest sees read-only below a writable layer in its memory. Standard input, output and error are the container's, and
so is the exit status: 128 + n if signal n ended it. 125 says that berth itself failed, as with docker and podman, and
standard error says how. SIGINT and SIGTERM go to the container; a second one, or SIGHUP, ends the pod. When the command
returns, nothing of the pod is left but the data on its volumes.

Bind mounts of config.json whose source is where CSI published a volume, or where kubelet shows a part of one, are the
same as --volume.

  --volume [NAME=]TARGET[//SUB]:/path[:ro]
                              the volume that CSI published at TARGET, mounted at /path, in the sidecar NAME if it is
                              named; with SUB, only that directory or file of it; may be repeated
  --device [NAME=]TARGET:/dev/name[:ro]
                              the volume that CSI published at TARGET in Block mode, as a device; may be repeated
  --sidecar NAME=BUNDLE       another container in the VM, with the same network and volumes that it may share; may be
                              repeated. They are started in this order, before the container of the pod, and told to
                              end when that has ended (SIGTERM, then SIGKILL). What they print comes on standard error,
                              each line behind "NAME: "; they have no input. One that fails is reported, no more
  --direct-volumes DIR        where other drivers leave volumes for Kata Containers (mountInfo.json), which --volume
                              takes by their target path; default: Kata's own place
  --netns PATH                network namespace that CNI prepared for the pod; without it the VM has no NIC
  --id ID                     name of the pod; default: a random one
  --memory MIB                memory of the VM, at least 128; default 256
  --cpus N                    virtual CPUs; default 1
  --accelerator auto|kvm|tcg  default auto: KVM if a guest is seen to run under it, else TCG, which emulates, with a
                              notice on standard error; what was seen is remembered until the host boots anew
  --boot-timeout S            what the guest may take to say hello; default 60
  --run-dir DIR               where pods and networks are recorded; default ${DEFAULT_RUN_DIRECTORY}
  --guest DIR                 kernel, initrd and root image; default: the build's
  --qemu PATH                 default: qemu-system-x86_64 of the PATH

Examples:
  berth run ./bundle
  berth run ./bundle --volume /var/lib/kubelet/pods/UID/volumes/kubernetes.io~csi/data/mount:/data
  berth run ./bundle --netns /run/netns/pod1 --memory 512
  berth run ./web --volume $target//html:/www:ro --sidecar sync=./sync --volume sync=$target//html:/html
`;

export const runCommand: Command = {
  name: 'run',
  summary: 'run a container in a pod VM of its own, with its volumes and its network',
  help: HELP,
  flags: RUN_FLAGS,
  failureStatus: 125,
  prepare(args) {
    const options = parseRunOptions(args);
    return () => runPod(options);
  },
};
