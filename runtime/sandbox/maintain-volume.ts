import { Fault } from '../../proto/fault.ts';
import { guestVolumePath } from '../../proto/guest-layout.ts';
import type { MaintainedVolume, MaintainVolume } from '../../proto/shim.ts';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { VOLUME_FILES, type VolumeSpec, volumeSpecRecord } from '../../proto/volume-spec.ts';
import type { Agent } from '../guest-client/control.ts';
import { planMaintenance } from '../plan/maintenance.ts';
import { ACCELERATOR } from '../plan/types.ts';
import { recordFile } from '../system/record-file.ts';
import { within } from '../system/within.ts';
import { noticesOf } from './accelerator.ts';
import { readMachine } from './facts.ts';
import { connectAgent } from './guest-connection.ts';
import type { HeldLease, SandboxHost } from './host.ts';
import { takeLease } from './lease.ts';
import { absolute, parseAccelerator } from './pod-request.ts';
import { type PodContext, startVm } from './start-vm.ts';

/** For the guest to write what it has and to power off; its disk was flushed by then. */
const POWER_OFF_MS = 10_000;
const WORDS_LENGTH = 16_000;

/**
 * Has a guest work on a volume that no VM has, with the volume's lease: the host itself never looks into a disk that a
 * guest has written. What it makes is in `undo` before it is made.
 */
export async function maintainVolume(context: PodContext, request: MaintainVolume): Promise<MaintainedVolume> {
  const { host, id, run, paths, undo, checkWanted } = context;
  const directory = absolute('volume_directory', request.volumeDirectory);
  const task = parseTask(request);
  const spec = await read(host, volumeSpecRecord, `${directory}/${VOLUME_FILES.spec}`);
  const driver = context.createDriver(request.qemu === '' ? undefined : request.qemu);
  const machine = await readMachine(host, parseAccelerator(request.accelerator), {
    run,
    paths,
    guestDirectory: absolute('guest_directory', request.guestDirectory),
    driver,
    vmm: request.qemu === '' ? undefined : request.qemu,
    checkWanted,
  });
  const readOnly = task === 'check' && request.repair === 'none';
  const vmSpec = planMaintenance({ id, memoryMib: request.memoryMib, spec, directory, readOnly }, machine);
  checkWanted();
  const owner = { purpose: `a VM has it for its maintenance (${id}: ${task})`, takenAtMs: Date.now() };
  const lease = await takeLease(host, { volumeId: spec.volumeId, directory, readOnly }, owner);
  undo.defer('lease', () => lease.close());
  await checkUnchanged(host, spec, `${directory}/${VOLUME_FILES.image}`, request.unchangedSince);
  const filesystem = await read(host, volumeFilesystemRecord, `${directory}/${VOLUME_FILES.filesystem}`);
  checkUsed(spec, filesystem);

  const vm = await startVm(context, driver, vmSpec, { netns: undefined, leases: [lease] });
  checkWanted();
  const { bootTimeoutMs } = request;
  const agent = await connectAgent(context, { timeoutMs: bootTimeoutMs, atMs: host.system.now() + bootTimeoutMs });
  const done = task === 'check' ? await check(agent, spec, request.repair) : await trim(agent, spec);
  await agent.call('shutdown', {}).catch((error: unknown) => context.log.warn('no orderly end', { error }));
  await within(POWER_OFF_MS, vm.exited);
  if (done.isClean && !readOnly) await forgetProblem(host, directory, filesystem, lease);
  return { ...done, notices: noticesOf(request.accelerator, [{ source: ACCELERATOR, ...machine.accelerator }]) };
}

type Done = Omit<MaintainedVolume, 'notices'>;

async function check(agent: Agent, { serial, fsType }: VolumeSpec, repair: string): Promise<Done> {
  const { isClean, words } = await agent.call('checkVolume', { serial, fsType, repair });
  return { isClean, words: toPlainText(words), trimmedBytes: 0 };
}

/** A guest says what it likes: no more of it than a person reads, and nothing that a terminal obeys. */
const toPlainText = (words: string): string => words.slice(-WORDS_LENGTH).replaceAll(/[^\P{Cc}\n\t]/gu, '?');

/** A file system that mounts is clean as far as its mount can tell. */
async function trim(agent: Agent, { serial, fsType }: VolumeSpec): Promise<Done> {
  await agent.call('mountVolume', { serial, fsType, mountPoint: guestVolumePath(serial) });
  const { trimmedBytes } = await agent.call('trimVolume', { serial });
  return { isClean: true, words: '', trimmedBytes };
}

function parseTask({ task }: MaintainVolume): 'check' | 'trim' {
  if (task === 'check' || task === 'trim') return task;
  throw new Fault('invalid', `task is ${JSON.stringify(task)}, but must be check or trim`, {
    fields: { field: 'task' },
  });
}

function checkUsed({ volumeId }: VolumeSpec, { state }: VolumeFilesystem): void {
  if (state === 'formatted' || state === 'raw') return;
  const message = `volume ${volumeId} has no file system yet: the first pod that mounts it makes one`;
  throw new Fault('precondition', message, { fields: { volumeId, state } });
}

/** By a program: the disk of a pool that hangs must not hold up the shim's loop. */
async function checkUnchanged(
  host: SandboxHost,
  { volumeId }: VolumeSpec,
  image: string,
  since: string,
): Promise<void> {
  if (since === '') return;
  const { exitCode, stdout } = await host.system.run({ file: 'stat', args: ['--format=%.9Z', '--', image] });
  if (exitCode === 0 && new TextDecoder().decode(stdout).trim() === since) return;
  const message = `volume ${volumeId} was written since it was copied, and nothing was done to it; try again`;
  throw new Fault('busy', message, { fields: { volumeId } });
}

async function forgetProblem(
  host: SandboxHost,
  directory: string,
  { problem, ...others }: VolumeFilesystem,
  lease: HeldLease,
): Promise<void> {
  if (problem === undefined) return;
  const content = new TextEncoder().encode(volumeFilesystemRecord.encode(others));
  await host.writeDurable(`${directory}/${VOLUME_FILES.filesystem}`, content, 0o600, lease);
}

async function read<T>(host: SandboxHost, codec: Parameters<typeof recordFile<T>>[1], path: string): Promise<T> {
  const record = await recordFile(host.system, codec, path, { durable: true }).load();
  if (record !== undefined) return record;
  throw new Fault('not-found', `there is no ${path}; is it the directory of a volume?`, { fields: { path } });
}
