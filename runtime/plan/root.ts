import { Fault } from '../../proto/fault.ts';
import type { Sandbox } from '../../proto/sandbox-record.ts';
import type { Share } from '../vmm/port.ts';
import type { GuestPlan, PlanFacts, PlanRequest } from './types.ts';

export interface RootPlan {
  readonly share: Share;
  readonly rootfs: GuestPlan['rootfs'];
  readonly choice: Sandbox['choices'][number];
}

const TAG = 'rootfs';

/** Root of the bundle's container on the host: a relative `root.path` starts at the bundle (runtime specification). */
export function rootPath({ bundle, spec }: Pick<PlanRequest, 'bundle' | 'spec'>): string {
  return spec.root.path.startsWith('/') ? spec.root.path : `${bundle}/${spec.root.path}`;
}

export function planRoot(request: PlanRequest, facts: Pick<PlanFacts, 'root' | 'capabilities'>): RootPlan {
  const path = rootPath(request);
  if (facts.root !== 'directory') {
    const found = facts.root === 'absent' ? 'does not exist' : 'is no directory';
    const message = `root.path: ${path} ${found}; unpack the container's root file system there`;
    throw new Fault(facts.root === 'absent' ? 'not-found' : 'unsupported', message, { fields: { path } });
  }
  if (!facts.capabilities.nineP) {
    const message = `root.path: this VMM (${facts.capabilities.version}) cannot share a directory by 9p, so ${path} cannot enter the VM`;
    throw new Fault('unsupported', message, { fields: { path } });
  }
  return {
    share: { id: TAG, transport: '9p', tag: TAG, path },
    rootfs: { shareTag: TAG },
    choice: {
      source: `root ${path}`,
      chosen: '9p, read-only',
      reason: 'directory root: shared read-only by 9p; writes stay in guest memory',
    },
  };
}
