import { type AcceleratorRecord, type AcceleratorWish, acceleratorRecord } from '../../proto/accelerator.ts';
import { Fault } from '../../proto/fault.ts';
import type { RunPaths } from '../../proto/paths.ts';
import { ACCELERATOR, type AcceleratorChoice, type Plan, type PlanFacts } from '../plan/types.ts';
import { readBootId } from '../system/boot-id.ts';
import { type RecordFile, recordFile } from '../system/record-file.ts';
import type { VmmCapabilities, VmmDriver } from '../vmm/port.ts';
import { tryAccelerator } from './accelerator-trial.ts';
import type { HeldLease, SandboxHost } from './host.ts';

const LOOK_AGAIN_MS = 50;

export interface AcceleratorSources {
  readonly run: RunPaths;
  readonly driver: Pick<VmmDriver, 'start'>;
  /** Path of the VMM's program; undefined: the first of the PATH. */
  readonly vmm: string | undefined;
  readonly capabilities: VmmCapabilities;
  readonly guest: PlanFacts['guest'];
  /** Throws when nobody waits for the answer any more. */
  readonly checkWanted: () => void;
}

type Host = Pick<SandboxHost, 'system' | 'tryLock'>;

/**
 * What a wish comes to on this host. `auto` is KVM if a guest runs under it: a device that opens proves nothing, where the
 * host is a virtual machine itself a guest may never execute its first instruction. What a trial showed is recorded, and
 * holds for every pod until the host boots anew, or VMM or guest are others. One shim tries; those beside it wait.
 */
export async function chooseAccelerator(
  host: Host,
  wish: AcceleratorWish,
  sources: AcceleratorSources,
): Promise<AcceleratorChoice> {
  if (wish !== 'auto') return { chosen: wish, reason: 'asked for' };
  const { run, capabilities } = sources;
  if (!capabilities.accelerators.includes('kvm')) {
    return { chosen: 'tcg', reason: `there is no /dev/kvm, or ${capabilities.version} cannot use it` };
  }
  const file = recordFile(host.system, acceleratorRecord, run.accelerator, { durable: false });
  const key = await readKey(host, sources);
  const known = await loadAnswer(file, key);
  if (known !== undefined) return known;
  await host.system.makeDirectory(run.acceleratorTrial, 0o700);
  const lock = await awaitLock(host, `${run.acceleratorTrial}/lock`, sources.checkWanted);
  try {
    return (await loadAnswer(file, key)) ?? (await findAnswer(host, sources, file, key));
  } finally {
    lock.close();
  }
}

/** What whoever left the choice to berth should read; nothing where it is as good as can be. */
export function noticesOf(wish: string, choices: Plan['choices']): readonly string[] {
  const choice = choices.find(({ source, chosen }) => source === ACCELERATOR && chosen === 'tcg');
  if (choice === undefined || wish === 'tcg') return [];
  return [`the VM is emulated, and slow: ${choice.reason} ("berth doctor" says more; --accelerator tcg asks for this)`];
}

type Key = Omit<AcceleratorRecord, keyof AcceleratorChoice | 'triedAtMs'>;

async function readKey({ system }: Host, { vmm, capabilities, guest }: AcceleratorSources): Promise<Key> {
  const { kernel, initrd, root } = guest.manifest;
  return {
    bootId: await readBootId(system),
    vmm: `${vmm ?? 'the first of the PATH'}, ${capabilities.version}`,
    kernel: kernel.sha256,
    initrd: initrd.sha256,
    root: root.sha256,
  };
}

async function loadAnswer(file: RecordFile<AcceleratorRecord>, key: Key): Promise<AcceleratorChoice | undefined> {
  const known = await file.load().catch((error: unknown) => {
    // A record of another version, or half of one: no answer, and soon replaced.
    if (error instanceof Fault && (error.code === 'malformed' || error.code === 'unsupported')) return undefined;
    throw error;
  });
  if (known === undefined) return undefined;
  const names = Object.keys(key) as (keyof Key)[];
  return names.every((name) => known[name] === key[name]) ? { chosen: known.chosen, reason: known.reason } : undefined;
}

async function findAnswer(
  host: Host,
  { run, driver, guest }: AcceleratorSources,
  file: RecordFile<AcceleratorRecord>,
  key: Key,
): Promise<AcceleratorChoice> {
  const trial = await tryAccelerator(host.system, driver, 'kvm', { guest, directory: run.acceleratorTrial });
  const answer: AcceleratorChoice = trial.runs
    ? { chosen: 'kvm', reason: trial.finding }
    : { chosen: 'tcg', reason: `no guest runs under KVM here: ${trial.finding}` };
  if (trial.isLasting) await file.save({ ...key, ...answer, triedAtMs: Date.now() });
  return answer;
}

/** Not by a call that blocks: the shim must hear when it is told to end. */
async function awaitLock({ system, tryLock }: Host, path: string, checkWanted: () => void): Promise<HeldLease> {
  for (;;) {
    checkWanted();
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    await system.sleep(LOOK_AGAIN_MS);
  }
}
