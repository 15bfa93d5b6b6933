import { CONTROL_PORT, STDIO_PORT } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import type { SandboxId } from '../../proto/ids.ts';
import type { PodPaths, RunPaths } from '../../proto/paths.ts';
import type { CreatePod } from '../../proto/shim.ts';
import { connectChannel } from '../guest-client/connect.ts';
import { type ContainerStdio, coupleStdio } from '../guest-client/container-stdio.ts';
import { type Agent, createAgent } from '../guest-client/control.ts';
import { planPod } from '../plan/plan.ts';
import type { Plan, PlanRequest } from '../plan/types.ts';
import { StdioMux } from '../system/channel/stdio-mux.ts';
import type { Log } from '../system/log.ts';
import type { Undo } from '../system/undo.ts';
import type { Vm, VmmDriver } from '../vmm/port.ts';
import { readFacts } from './facts.ts';
import type { HeldLease, Netns, SandboxHost } from './host.ts';
import { takeLease } from './lease.ts';
import { Phases } from './phases.ts';
import { readPodRequest } from './pod-request.ts';
import type { SandboxStore } from './store.ts';
import { prepareVolume } from './volume-filesystem.ts';

/** The pod's only container: its streams are number one of the stdio channel. */
const STDIO_ID = 1;

export interface PodContext {
  readonly id: SandboxId;
  readonly host: SandboxHost;
  readonly run: RunPaths;
  readonly paths: PodPaths;
  readonly store: SandboxStore;
  readonly log: Log;
  /** `qemu` is the path of the VMM; undefined: the first of the PATH. */
  readonly createDriver: (qemu: string | undefined) => VmmDriver;
  readonly undo: Undo;
  /** Throws when the pod is not wanted any more. */
  readonly checkWanted: () => void;
  /** The VM is there: whoever stops the pod before it is complete ends it. */
  readonly onVm: (vm: Vm) => void;
}

/** A pod VM with its container created, not started. */
export interface Pod {
  readonly vm: Vm;
  readonly agent: Agent;
  readonly stdio: ContainerStdio;
  readonly plan: Plan;
  readonly phases: Phases;
}

/**
 * From a request to a container that waits for its start. Everything it makes is in `undo` before it is made; what it
 * throws leaves it to the caller to unwind.
 */
export async function createPod(context: PodContext, create: CreatePod): Promise<Pod> {
  const { host, store, undo, checkWanted } = context;
  const phases = new Phases(() => host.system.now());
  phases.begin('plan');
  const driver = context.createDriver(create.qemu === '' ? undefined : create.qemu);
  const request = await readPodRequest(host.system, context.run, context.id, create);
  const netns = openNetns(context, create.netnsPath);
  const plan = await makePlan(context, create, request, netns, driver);
  checkWanted();
  await store.update({ podUid: request.podUid, bundle: request.bundle, ...describePlan(plan, create) });

  phases.begin('vmm');
  const leases = takeLeases(context, plan, request);
  checkWanted();
  const vm = await startVm(context, driver, plan, netns, leases);
  netns?.close();
  checkWanted();

  phases.begin('boot');
  const { agent, mux } = await connectGuest(context, create.bootTimeoutMs);

  phases.begin('network');
  const { hostname, dns, interfaces } = plan.guest;
  await agent.call('setUpSandbox', { hostname, dns, interfaces });

  phases.begin('volumes');
  for (const { volume, lease } of leases) {
    checkWanted();
    const { wasFormatted } = await prepareVolume(host, agent, volume, lease);
    context.log.info('volume mounted', { volumeId: volume.facts.spec.volumeId, wasFormatted });
  }
  // From here on the VMM alone has them: the kernel frees them at its death, whatever this process does.
  for (const { lease } of leases) lease.close();

  phases.begin('container');
  const stdio = coupleStdio(mux, STDIO_ID, openStreams(host, undo, create), context.log);
  undo.defer('stdio', () => stdio.close());
  await agent.call('createContainer', {
    containerId: context.id,
    spec: new TextEncoder().encode(JSON.stringify(plan.guest.spec)),
    rootfs: plan.guest.rootfs,
    stdioId: STDIO_ID,
  });
  stdio.beginInput();
  phases.end();
  return { vm, agent, stdio, plan, phases };
}

function openNetns({ host, undo }: PodContext, path: string): Netns | undefined {
  if (path === '') return undefined;
  const netns = host.openNetns(path);
  undo.defer('netns', () => netns.close());
  return netns;
}

async function makePlan(
  { host, run, paths, checkWanted }: PodContext,
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
  });
  const result = planPod(request, facts);
  if (result.kind === 'refusal') throw result.fault;
  return result.plan;
}

function describePlan(plan: Plan, create: CreatePod) {
  return {
    choices: plan.choices,
    volumes: plan.guest.volumes.flatMap(({ facts, containerPaths }) =>
      containerPaths.map((containerPath) => ({ volumeId: facts.spec.volumeId, containerPath })),
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

function takeLeases({ host, id, undo }: PodContext, plan: Plan, request: PlanRequest): readonly LeasedVolume[] {
  const owner = { podUid: request.podUid, sandboxId: id, node: '', takenAtMs: Date.now() };
  const leased: LeasedVolume[] = [];
  undo.defer('leases', () => {
    for (const { lease } of leased) lease.close();
  });
  for (const volume of plan.guest.volumes) {
    leased.push({ volume, lease: takeLease(host, volume.facts, owner) });
  }
  return leased;
}

async function startVm(
  { undo, paths, store, onVm }: PodContext,
  driver: VmmDriver,
  plan: Plan,
  netns: Netns | undefined,
  leases: readonly LeasedVolume[],
): Promise<Vm> {
  let vm: Vm | undefined;
  undo.defer('VMM', () => vm?.kill());
  vm = await driver.start(plan.vm, {
    netns: netns?.fd,
    held: leases.map(({ lease }) => lease.fd),
    log: paths.vmmLog,
    onProcess: (vmm) => store.update({ vmm }),
  });
  onVm(vm);
  return vm;
}

async function connectGuest(
  { host, paths, undo, log }: PodContext,
  bootTimeoutMs: number,
): Promise<{ readonly agent: Agent; readonly mux: StdioMux }> {
  const deadline = { timeoutMs: bootTimeoutMs, atMs: host.system.now() + bootTimeoutMs };
  const connect = (name: string, socket: string) => connectChannel(host.system, { name, socket }, deadline);

  const agent = createAgent(await connect(CONTROL_PORT, paths.controlSocket));
  undo.defer('control channel', () => agent.close());

  const stream = await connect(STDIO_PORT, paths.stdioSocket);
  undo.defer('stdio channel', () => stream.close());
  const mux = new StdioMux();
  mux.attach(stream).then(
    () => mux.close(new Fault('io', 'the guest closed the stdio channel')),
    (error: unknown) => {
      log.error('stdio channel broken', { error });
      mux.close(new Fault('io', 'the stdio channel broke', { cause: error }));
    },
  );
  return { agent, mux };
}

function openStreams({ openFifo }: SandboxHost, undo: Undo, create: CreatePod) {
  const open = (path: string, direction: 'read' | 'write') => {
    if (path === '') return undefined;
    const stream = openFifo(path, direction);
    undo.defer(path, () => stream.close());
    return stream;
  };
  return {
    stdin: open(create.stdin, 'read'),
    stdout: open(create.stdout, 'write'),
    stderr: open(create.stderr, 'write'),
  };
}
