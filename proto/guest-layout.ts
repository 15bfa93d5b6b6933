/** Names inside a pod VM on which host and guest agree: the planner writes them, the agent makes what they name. */

/** Serial of the disk that holds the guest's root file system; no volume may have it. */
export const ROOT_SERIAL = 'berth-root';

/** What SetUpSandbox wrote of the pod's DNS. */
export const GUEST_RESOLV_CONF = '/run/berth/resolv.conf';

/** Where the agent mounts a volume; containers get binds of it. */
export const guestVolumePath = (serial: string): string => `/run/berth/volumes/${serial}`;

/** Root of a container: the shared root below, a writable layer in guest memory above. */
export const guestRootfsPath = (containerId: string): string => `/run/berth/containers/${containerId}/rootfs`;

/** `linux.cgroupsPath` of a container in the guest. */
export const guestCgroupsPath = (containerId: string): string => `/berth/${containerId}`;

/** Where the guest shows a part of a volume to a container: the source of a mount in its specification. */
export const guestBindPath = (containerId: string, name: string): string =>
  `/run/berth/containers/${containerId}/binds/${name}`;
