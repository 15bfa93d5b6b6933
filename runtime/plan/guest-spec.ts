import { Fault } from '../../proto/fault.ts';
import { guestCgroupsPath, guestRootfsPath } from '../../proto/guest-layout.ts';
import type { OciMount, OciSpec } from './oci-spec.ts';
import type { ContainerRequest } from './types.ts';

/** config.json for the guest's crun: what named the host names the guest, and what cannot be moved is refused. */
export function planGuestSpec(
  { spec, id: containerId }: Pick<ContainerRequest, 'spec' | 'id'>,
  netnsPath: string,
  mounts: readonly OciMount[],
): OciSpec {
  checkOffered(spec);
  checkNamespaces(spec.linux?.namespaces ?? [], netnsPath);
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
  // Device numbers mean other devices in the guest: one of the host's could name the disk of another volume.
  for (const { path } of spec.linux?.devices ?? []) {
    const message =
      `linux.devices: ${path} of the host is no volume of this pod and cannot enter the VM; ` +
      'remove it from config.json';
    throw new Fault('unsupported', message, { fields: { key: 'linux.devices', path } });
  }
}

type Namespaces = NonNullable<NonNullable<OciSpec['linux']>['namespaces']>;

/** A namespace with a path is one of the host, and none of those is in the VM; the pod's network is its own. */
function checkNamespaces(namespaces: Namespaces, netnsPath: string): void {
  for (const { type, path = '' } of namespaces) {
    if (path === '' || (type === 'network' && path === netnsPath)) continue;
    const way = type === 'network' ? 'make it that of the pod (berth run --netns)' : 'remove its path';
    const message = `linux.namespaces: the ${type} namespace ${path} of the host cannot be joined in the VM; ${way}`;
    throw new Fault('unsupported', message, { fields: { key: 'linux.namespaces', path } });
  }
  // Without one of its own the container would see the guest's processes, the agent among them.
  if (namespaces.some(({ type }) => type === 'pid')) return;
  const message = 'linux.namespaces: a pod VM shares no PID namespace with its containers; add {"type": "pid"}';
  throw new Fault('unsupported', message, { fields: { key: 'linux.namespaces' } });
}
