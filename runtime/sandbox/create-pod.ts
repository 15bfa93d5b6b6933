import type { SandboxContainer } from '../../proto/sandbox-record.ts';
import type { CreatePod } from '../../proto/shim.ts';
import { VOLUME_FILES, volumeSpecRecord } from '../../proto/volume-spec.ts';
import { planPod } from '../plan/plan.ts';
import type { Plan, PlanRequest } from '../plan/types.ts';
import { StdioMux } from '../system/channel/stdio-mux.ts';
import { failpoint } from '../system/failpoint.ts';
import { recordFile } from '../system/record-file.ts';
import type { Vm, VmmDriver } from '../vmm/port.ts';
import { noticesOf } from './accelerator.ts';
import { createContainers } from './create-containers.ts';
import { readFacts } from './facts.ts';
import { connectAgent, connectStdio } from './guest-connection.ts';
import type { HeldLease, Netns } from './host.ts';
import { takeLease } from './lease.ts';
import { type Phase, Phases } from './phases.ts';
import type { ContainerGuest } from './pod-container.ts';
import { readPodRequest } from './pod-request.ts';
import { type PodContext, startVm } from './start-vm.ts';
import { prepareVolume } from './volume-filesystem.ts';

/** A pod VM with its containers. */
export interface Pod extends ContainerGuest {
  readonly vm: Vm;
}

/** Its containers are created, not started. */
export interface NewPod extends Pod {
  readonly plan: Plan;
  readonly containers: readonly SandboxContainer[];
  readonly phases: Phases;
}

export interface CreatedPod {
  readonly phases: readonly Phase[];
  /** What the planner chose, and why: one line for each source. */
  readonly reasons: readonly string[];
  readonly notices: readonly string[];
}

/** For whoever asked for the pod; `wish` is the accelerator that was wished for. */
export function describeCreated({ plan, phases }: NewPod, wish: string): CreatedPod {
  const reasons = plan.choices.map(({ source, chosen, reason }) => `${source}: ${chosen}; ${reason}`);
  return { phases: phases.end(), reasons, notices: [...noticesOf(wish, plan.choices), ...plan.notices] };
}

/**
 * From a request to containers that wait for their start. Everything it makes is in `undo` before it is made; what it
 * throws leaves it to the caller to unwind.
 */
export async function createPod(context: PodContext, create: CreatePod): Promise<NewPod> {
  const { host, store, checkWanted } = context;
  const phases = new Phases(() => host.system.now());
  phases.begin('plan');
  const driver = context.createDriver(create.qemu === '' ? undefined : create.qemu);
  const request = await readPodRequest(host, context.run, context.id, create);
  const netns = openNetns(context, create.netnsPath);
  const plan = await makePlan(context, create, request, netns, driver);
  checkWanted();
  await store.update({ podUid: request.podUid, ...describePlan(plan, create) });

  phases.begin('vmm');
  const leases = await takeLeases(context, plan, request);
  checkWanted();
  const vm = await startVm(context, driver, plan.vm, {
    netns,
    leases: leases.map(({ lease }) => lease),
  });
  netns?.close();
  await applyLimits(context, plan, vm);
  checkWanted();

  phases.begin('boot');
  const { bootTimeoutMs } = create;
  const deadline = { timeoutMs: bootTimeoutMs, atMs: host.system.now() + bootTimeoutMs };
  const agent = await connectAgent(context, deadline);
  const mux = new StdioMux();
  await connectStdio(context, mux, deadline);

  phases.begin('network');
  const { hostname, dns, interfaces } = plan.guest;
  await agent.call('setUpSandbox', { hostname, dns, interfaces });
  failpoint('guest.set-up');

  phases.begin('volumes');
  for (const { volume, lease } of leases) {
    checkWanted();
    const { wasFormatted } = await prepareVolume(host, agent, volume, lease);
    context.log.info('volume ready', { volumeId: volume.facts.spec.volumeId, wasFormatted });
  }
  for (const storage of plan.guest.direct) await agent.call('mountVolume', storage);
  // From here on the VMM alone has them: the kernel frees them at its death, whatever this process does.
  for (const { lease } of leases) lease.close();
  failpoint('leases.handed-over');

  phases.begin('containers');
  const guest = { agent, mux };
  const { records, stdio } = await createContainers(context, guest, plan.guest.containers, create.containers);
  phases.end();
  return { vm, agent, stdio, containers: records, plan, phases };
}

function openNetns({ host, undo }: PodContext, path: string): Netns | undefined {
  if (path === '') return undefined;
  const netns = host.openNetns(path);
  undo.defer('netns', () => netns.close());
  return netns;
}

async function makePlan(
  { host, run, paths, log, checkWanted }: PodContext,
  create: CreatePod,
  request: PlanRequest,
  netns: Netns | undefined,
  driver: VmmDriver,
): Promise<Plan> {
  const facts = await readFacts(host, request, {
    run,
    paths,
    guestDirectory: create.guestDirectory,
    netns: netns === undefined ? undefined : { path: create.netnsPath, netns },
    driver,
    vmm: create.qemu === '' ? undefined : create.qemu,
    checkWanted,
    directVolumes: create.directVolumesDirectory,
    log,
  });
  const result = planPod(request, facts);
  if (result.kind === 'refusal') throw result.fault;
  return result.plan;
}

function describePlan(plan: Plan, create: CreatePod) {
  return {
    choices: plan.choices,
    volumes: plan.guest.volumes.flatMap(({ facts: { spec, attachment }, readOnly, places }) =>
      places.map((place) => ({
        ...place,
        volumeId: spec.volumeId,
        serial: spec.serial,
        volumeMode: attachment.volumeMode,
        readOnly,
      })),
    ),
    interfaces: plan.guest.interfaces.map(({ name, addresses }) => ({
      name,
      addresses: addresses.map(({ address }) => address),
    })),
    ...(create.netnsPath === '' ? {} : { netnsPath: create.netnsPath }),
  };
}

interface LeasedVolume {
  readonly volume: Plan['guest']['volumes'][number];
  readonly lease: HeldLease;
}

async function takeLeases({ host, id, undo }: PodContext, plan: Plan, request: PlanRequest): Promise<LeasedVolume[]> {
  const owner = { podUid: request.podUid, sandboxId: id, node: '', takenAtMs: Date.now() };
  const leased: LeasedVolume[] = [];
  undo.defer('leases', () => {
    for (const { lease } of leased) lease.close();
  });
  for (const volume of plan.guest.volumes) {
    const { spec, attachment } = volume.facts;
    const wanted = { volumeId: spec.volumeId, directory: attachment.volumeDirectory, readOnly: volume.readOnly };
    leased.push({ volume, lease: await takeLease(host, wanted, owner) });
  }
  return leased;
}

/** Before the guest has seen its disks. Read under the lease: what was planned with may have been modified since. */
async function applyLimits({ host }: PodContext, { guest }: Plan, vm: Vm): Promise<void> {
  for (const { diskId, facts } of guest.volumes) {
    const path = `${facts.attachment.volumeDirectory}/${VOLUME_FILES.spec}`;
    const spec = await recordFile(host.system, volumeSpecRecord, path, { durable: true }).load();
    const limits = spec?.limits ?? facts.spec.limits;
    if (limits.iops > 0 || limits.bandwidthBytes > 0) await vm.throttleDisk(diskId, limits);
  }
}
