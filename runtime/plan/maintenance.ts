import type { SandboxId } from '../../proto/ids.ts';
import { VOLUME_FILES, type VolumeSpec } from '../../proto/volume-spec.ts';
import type { VmSpec } from '../vmm/port.ts';
import { diskId } from './disk-id.ts';
import { planTuning } from './disk-tuning.ts';
import { type MachineFacts, planVm } from './vm-spec.ts';

export interface MaintenanceRequest {
  readonly id: SandboxId;
  readonly memoryMib: number;
  readonly spec: VolumeSpec;
  /** The volume's directory in its pool. */
  readonly directory: string;
  readonly readOnly: boolean;
}

/** A VM with one volume, no container and no network. */
export function planMaintenance(request: MaintenanceRequest, facts: MachineFacts): VmSpec {
  const { id, memoryMib, spec, directory, readOnly } = request;
  const vcpus = 1;
  const disk = {
    id: diskId(spec.serial),
    transport: 'virtio-blk',
    path: `${directory}/${VOLUME_FILES.image}`,
    serial: spec.serial,
    readOnly,
    tuning: planTuning(spec, vcpus, facts.capabilities),
  } as const;
  return planVm({ id, vcpus, memoryMib }, facts, { disks: [disk], nics: [], shares: [] });
}
