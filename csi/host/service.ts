import { HOST_SERVICE, type HostMethods, hostMethods } from '../../proto/host-calls.ts';
import { S_IF, sys } from '../../runtime/system/native/sys.ts';
import { defineService, type Handlers } from '../../runtime/system/rpc/ttrpc-server.ts';
import { tryLock, unlock } from './locks.ts';
import { attachLoop, detachLoop, loopsOf } from './loops.ts';
import { orRefuse } from './refusal.ts';
import { runSlowCall } from './slow-calls.ts';

const UMOUNT_NOFOLLOW = 8;

/** Quick calls are made at once, one after another; those that may wait for a disk, in a process each. */
const handlers: Handlers<HostMethods> = {
  async mount({ source, target, fsType, flags, data }) {
    orRefuse(`could not mount ${fsType === '' ? source : fsType} at ${target}`, target, () =>
      sys.mount(source, target, fsType, flags, data),
    );
    return {};
  },
  async unmount({ target }) {
    const meanings = { EINVAL: 'invalid', EBUSY: 'busy' } as const;
    orRefuse(`could not unmount ${target}`, target, () => sys.umount(target, UMOUNT_NOFOLLOW), meanings);
    return {};
  },
  tryLock: async ({ path }) => tryLock(path),
  async unlock({ lockId }) {
    unlock(lockId);
    return {};
  },
  clone: (request) => runSlowCall('clone', request),
  allocate: (request) => runSlowCall('allocate', request),
  extents: (request) => runSlowCall('extents', request),
  attachLoop: async ({ path, readOnly }) => attachLoop(path, readOnly),
  loopsOf: async ({ path }) => ({ loops: loopsOf(path) }),
  async detachLoop(device) {
    detachLoop(device);
    return {};
  },
  async makeDeviceNode({ path, major, minor }) {
    const make = (): void => sys.mknod(path, S_IF.BLK | 0o600, major, minor);
    orRefuse(`could not make the device node ${path}`, path, make, { EEXIST: 'exists' });
    return {};
  },
};

export const hostService = defineService(HOST_SERVICE, hostMethods, handlers);
