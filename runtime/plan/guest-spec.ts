import { Fault } from '../../proto/fault.ts';
import { guestCgroupsPath, guestRootfsPath } from '../../proto/guest-layout.ts';
import type { OciMount, OciSpec } from './oci-spec.ts';

/** config.json for the guest's crun: what named the host names the guest, and what cannot be moved is refused. */
export function planGuestSpec(spec: OciSpec, containerId: string, mounts: readonly OciMount[]): OciSpec {
  checkOffered(spec);
  const { hooks: _none, ...kept } = spec;
  return {
    ...kept,
    root: { ...spec.root, path: guestRootfsPath(containerId) },
    mounts: [...mounts],
    linux: {
      ...spec.linux,
      // The pod's network is the guest's own: the container lives in the guest's first network namespace.
      namespaces: (spec.linux?.namespaces ?? []).filter(({ type }) => type !== 'network'),
      cgroupsPath: guestCgroupsPath(containerId),
    },
  };
}

function checkOffered(spec: OciSpec): void {
  if (spec.process.terminal === true) {
    throw new Fault('unsupported', 'process.terminal: a pod VM offers no terminal; set it to false', {
      fields: { key: 'process.terminal' },
    });
  }
  for (const [name, hooks] of Object.entries(spec.hooks ?? {})) {
    if (hooks.length === 0) continue;
    const message = `hooks.${name}: a program of the host cannot run in the VM; remove it from config.json`;
    throw new Fault('unsupported', message, { fields: { key: `hooks.${name}` } });
  }
  for (const { type, path } of spec.linux?.namespaces ?? []) {
    if (type === 'network' || path === undefined || path === '') continue;
    const message = `linux.namespaces: the ${type} namespace ${path} of the host cannot be joined in the VM; remove its path`;
    throw new Fault('unsupported', message, { fields: { key: 'linux.namespaces', path } });
  }
  // Device numbers mean other devices in the guest: one of the host's could name the disk of another volume.
  for (const { path } of spec.linux?.devices ?? []) {
    const message = `linux.devices: ${path} of the host cannot enter the VM; remove it from config.json`;
    throw new Fault('unsupported', message, { fields: { key: 'linux.devices', path } });
  }
}
