import { Fault, faultIn } from '../../proto/fault.ts';
import { planDevices, withoutPlaceholders } from './devices.ts';
import { planDirectVolumes } from './direct-volume.ts';
import { planGuestSpec } from './guest-spec.ts';
import { directTargets, planMounts } from './mounts.ts';
import { hasDns, planNetwork } from './network.ts';
import { planRoot } from './root.ts';
import {
  ACCELERATOR,
  type ContainerPlan,
  type ContainerRequest,
  type Plan,
  type PlanFacts,
  type PlanRequest,
  type PlanResult,
} from './types.ts';
import { planVm } from './vm-spec.ts';
import { checkPlaces } from './volume-use.ts';
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
  const containers = request.containers.map((container, place) =>
    planContainer(container, { place, request, facts, hasDns: hasDns(network.dns) }),
  );
  const uses = containers.flatMap((container) => container.uses);
  const volumes = planVolumes(uses, request.vcpus, facts.capabilities);
  const directUses = containers.flatMap((container) => container.directUses);
  const direct = planDirectVolumes(directTargets(request, facts), directUses, request.vcpus, facts.capabilities);
  return {
    vm: planVm(request, facts, {
      disks: [...volumes.disks, ...direct.disks],
      nics: network.nics,
      shares: containers.map(({ root }) => root.share),
    }),
    guest: {
      hostname: request.containers[0]?.spec.hostname ?? request.id,
      dns: network.dns,
      interfaces: network.interfaces,
      volumes: volumes.volumes,
      direct: direct.storages,
      containers: containers.map(({ planned }) => planned),
    },
    choices: [
      ...volumes.choices,
      ...direct.choices,
      ...containers.map(({ root }) => root.choice),
      ...network.choices,
      { source: ACCELERATOR, ...facts.accelerator },
    ],
    notices: direct.notices,
  };
}

interface PodContext {
  /** Of the container in the pod; the main container's is 0. */
  readonly place: number;
  readonly request: PlanRequest;
  readonly facts: PlanFacts;
  readonly hasDns: boolean;
}

function planContainer(container: ContainerRequest, context: PodContext) {
  const { place, request, facts } = context;
  const { id, bundle, spec } = container;
  try {
    const { mounts, uses: mountUses, binds, directUses } = planMounts(container, request, facts, context.hasDns);
    const { uses: deviceUses, devices } = planDevices(container, request, facts);
    const uses = [...mountUses, ...deviceUses];
    checkPlaces(uses);
    const placeholders = deviceUses.map(({ facts: volume }) => volume);
    const root = planRoot(container, place, facts);
    const planned: ContainerPlan = {
      ...{ id, bundle, binds, devices },
      stdioId: place + 1,
      spec: planGuestSpec({ id, spec: withoutPlaceholders(spec, placeholders) }, request.netnsPath, mounts),
      rootfs: root.rootfs,
    };
    return { planned, root, uses, directUses };
  } catch (error) {
    // Of a pod with one container it is clear whose fault it is.
    throw request.containers.length === 1 ? error : faultIn(`container ${id}`, error, { containerId: id });
  }
}
