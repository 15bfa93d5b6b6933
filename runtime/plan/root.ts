import { Fault } from '../../proto/fault.ts';
import type { Sandbox } from '../../proto/sandbox-record.ts';
import type { Share } from '../vmm/port.ts';
import type { ContainerPlan, ContainerRequest, PlanFacts } from './types.ts';

export interface RootPlan {
  readonly share: Share;
  readonly rootfs: ContainerPlan['rootfs'];
  readonly choice: Sandbox['choices'][number];
}

/** Root of a container on the host: a relative `root.path` starts at the bundle (runtime specification). */
export function rootPath({ bundle, spec }: Pick<ContainerRequest, 'bundle' | 'spec'>): string {
  return spec.root.path.startsWith('/') ? spec.root.path : `${bundle}/${spec.root.path}`;
}

/** Each container has a share of its own, numbered by its `place` in the pod: a 9p tag has room for 31 bytes, an id has not. */
export function planRoot(
  container: ContainerRequest,
  place: number,
  facts: Pick<PlanFacts, 'roots' | 'capabilities'>,
): RootPlan {
  const path = rootPath(container);
  const kind = facts.roots.get(path) ?? 'absent';
  if (kind !== 'directory') {
    const found = kind === 'absent' ? 'does not exist' : 'is no directory';
    const message = `root.path: ${path} ${found}; unpack the container's root file system there`;
    throw new Fault(kind === 'absent' ? 'not-found' : 'unsupported', message, { fields: { path } });
  }
  const tag = `rootfs-${place}`;
  if (!facts.capabilities.nineP) {
    const message = `root.path: this VMM (${facts.capabilities.version}) cannot share a directory by 9p, so ${path} cannot enter the VM`;
    throw new Fault('unsupported', message, { fields: { path } });
  }
  return {
    share: { id: tag, transport: '9p', tag, path },
    rootfs: { shareTag: tag },
    choice: {
      source: `root ${path}`,
      chosen: '9p, read-only',
      reason: 'directory root: shared read-only by 9p; writes stay in guest memory',
    },
  };
}
