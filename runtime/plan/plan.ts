import { Fault } from '../../proto/fault.ts';
import { planDevices, withoutPlaceholders } from './devices.ts';
import { planDirectVolumes } from './direct-volume.ts';
import { planGuestSpec } from './guest-spec.ts';
import { planMounts } from './mounts.ts';
import { hasDns, planNetwork } from './network.ts';
import { planRoot } from './root.ts';
import { ACCELERATOR, type Plan, type PlanFacts, type PlanRequest, type PlanResult } from './types.ts';
import { planVm } from './vm-spec.ts';
import { planVolumes } from './volumes.ts';

/**
 * Decides how everything that a pod asks for enters its VM, or why it cannot. Pure: the same request and facts give the
 * same plan. What no rule takes in is refused by name; nothing is left out in silence, and no transport is a guess.
 */
export function planPod(request: PlanRequest, facts: PlanFacts): PlanResult {
  try {
    return { kind: 'plan', plan: plan(request, facts) };
  } catch (error) {
    if (error instanceof Fault) return { kind: 'refusal', fault: error };
    throw error;
  }
}

function plan(request: PlanRequest, facts: PlanFacts): Plan {
  const network = planNetwork(facts.networks, request.vcpus);
  const { mounts, uses, binds, directTargets, directUses } = planMounts(request, facts, hasDns(network.dns));
  const { uses: deviceUses, devices } = planDevices(request, facts);
  const shown = withoutPlaceholders(
    request.spec,
    deviceUses.map(({ facts: volume }) => volume),
  );
  const spec = planGuestSpec({ ...request, spec: shown }, mounts);
  const root = planRoot(request, facts);
  const volumes = planVolumes([...uses, ...deviceUses], request.vcpus, facts.capabilities);
  const direct = planDirectVolumes(directTargets, directUses, request.vcpus, facts.capabilities);
  return {
    vm: planVm(request, facts, {
      disks: [...volumes.disks, ...direct.disks],
      nics: network.nics,
      shares: [root.share],
    }),
    guest: {
      hostname: request.spec.hostname ?? request.id,
      dns: network.dns,
      interfaces: network.interfaces,
      volumes: volumes.volumes,
      direct: direct.storages,
      binds,
      devices,
      spec,
      rootfs: root.rootfs,
    },
    choices: [
      ...volumes.choices,
      ...direct.choices,
      root.choice,
      ...network.choices,
      { source: ACCELERATOR, ...facts.accelerator },
    ],
    notices: direct.notices,
  };
}
