/** Where programs meet on a node. All below one directory that a reboot clears; tests give it another root. */
export const DEFAULT_RUN_DIRECTORY = '/run/berth';

export interface RunPaths {
  readonly root: string;
  /** VolumeAttachment records: `volumes/<pod UID>/<key>.json`. */
  readonly volumes: string;
  /** csi's own: what stands for block volumes. */
  readonly csi: string;
  /** NetworkAttachment records: `networks/<key>.json`. */
  readonly networks: string;
  /** What the kernel was found to lack for networks. */
  readonly networkCapabilities: string;
  /** One directory per pod VM: `pods/<sandbox id>/`. */
  readonly pods: string;
  /** What `--accelerator auto` came to, and the directory in which it is tried: one at a time, by the lock in it. */
  readonly accelerator: string;
  readonly acceleratorTrial: string;
}

export function runPaths(root: string): RunPaths {
  return {
    root,
    volumes: `${root}/volumes`,
    csi: `${root}/csi`,
    networks: `${root}/networks`,
    networkCapabilities: `${root}/network-capabilities.json`,
    pods: `${root}/pods`,
    accelerator: `${root}/accelerator.json`,
    acceleratorTrial: `${root}/accelerator`,
  };
}

/** Files of a pod's directory. Socket paths must fit sun_path (107 bytes). */
export interface PodPaths {
  readonly directory: string;
  readonly record: string;
  /** ttrpc: containerd's and berth's services. */
  readonly shimSocket: string;
  readonly qmpSocket: string;
  /** virtio-serial ports of the guest. */
  readonly controlSocket: string;
  readonly stdioSocket: string;
  readonly console: string;
  readonly vmmLog: string;
  readonly shimLog: string;
}

export function podPaths(run: RunPaths, sandboxId: string): PodPaths {
  const directory = `${run.pods}/${sandboxId}`;
  return {
    directory,
    record: `${directory}/pod.json`,
    shimSocket: `${directory}/shim.sock`,
    qmpSocket: `${directory}/qmp.sock`,
    controlSocket: `${directory}/control.sock`,
    stdioSocket: `${directory}/stdio.sock`,
    console: `${directory}/console.log`,
    vmmLog: `${directory}/vmm.log`,
    shimLog: `${directory}/shim.log`,
  };
}
