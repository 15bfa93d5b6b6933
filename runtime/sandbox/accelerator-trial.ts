import type { Accelerator } from '../../proto/accelerator.ts';
import { CONTROL_PORT, STDIO_PORT } from '../../proto/agent.ts';
import { describeError, Fault } from '../../proto/fault.ts';
import { ROOT_SERIAL } from '../../proto/guest-layout.ts';
import { connectChannel } from '../guest-client/connect.ts';
import type { PlanFacts } from '../plan/types.ts';
import type { System } from '../system/port.ts';
import { within } from '../system/within.ts';
import type { Vm, VmmDriver, VmSpec } from '../vmm/port.ts';

/** A kernel that runs at all says its version in its first tenth of a second, under nested virtualisation too. */
const FIRST_WORD_WITHIN_MS = 3_000;
const LOOK_AGAIN_MS = 50;
/** Under KVM a guest says hello within a second; nested, on a busy host, within a few. */
const HELLO_WITHIN_MS = 10_000;
/** The guest's channels break a moment before the VMM's end is known. */
const EXIT_NEWS_MS = 1_000;
const MEMORY_MIB = 128;

export interface Trial {
  /** Whether the guest's agent said hello. */
  readonly runs: boolean;
  /** What was seen, for a person. */
  readonly finding: string;
  /** The same would be seen again: not so when the VMM did not even start, which may be for want of memory. */
  readonly isLasting: boolean;
}

export interface TrialPlace {
  readonly guest: PlanFacts['guest'];
  /** Takes sockets and logs, for as long as the trial lasts; nobody else's at that time. */
  readonly directory: string;
}

/**
 * Boots the pod VMs' own guest with nothing but its root disk, until its agent says hello: kernel, initrd, virtio and
 * process 1 run then. Ends at once when nothing runs at all. The guest is gone when it answers.
 */
export async function tryAccelerator(
  system: System,
  driver: Pick<VmmDriver, 'start'>,
  accelerator: Accelerator,
  { guest, directory }: TrialPlace,
): Promise<Trial> {
  const spec = planTrial(accelerator, guest, directory);
  const startMs = system.now();
  let vm: Vm | undefined;
  try {
    vm = await driver.start(spec, {
      netns: undefined,
      held: [],
      log: `${directory}/vmm.log`,
      endsWithParent: true,
      onProcess: async () => {},
    });
    await Promise.race([awaitHello(system, spec), refuseSilence(system, spec.console)]);
    const seconds = ((system.now() - startMs) / 1000).toFixed(1);
    return { runs: true, finding: `a guest said hello in ${seconds} s`, isLasting: true };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const exit = error.code === 'io' ? await within(EXIT_NEWS_MS, vm?.exited) : undefined;
    const finding = exit === undefined ? describeError(error) : `the VMM ended: ${exit.lastWords || 'without a word'}`;
    return { runs: false, finding, isLasting: vm !== undefined && exit === undefined };
  } finally {
    await vm?.kill();
    for (const path of [spec.console, spec.controlSocket, `${directory}/vmm.log`]) await system.remove(path);
    for (const { socket } of spec.ports) await system.remove(socket);
  }
}

/** Not `quiet`: the kernel's first words tell a guest that is slow from one that never began. */
function planTrial(accelerator: Accelerator, { manifest, directory }: TrialPlace['guest'], scratch: string): VmSpec {
  return {
    name: `berth-trial-of-${accelerator}`,
    vcpus: 1,
    memoryMib: MEMORY_MIB,
    accelerator,
    kernel: `${directory}/${manifest.kernel.file}`,
    initrd: `${directory}/${manifest.initrd.file}`,
    kernelParameters: ['console=ttyS0', 'panic=-1'],
    disks: [
      {
        id: 'root',
        transport: 'virtio-blk',
        path: `${directory}/${manifest.root.file}`,
        serial: ROOT_SERIAL,
        readOnly: true,
      },
    ],
    nics: [],
    shares: [],
    ports: [
      { name: CONTROL_PORT, socket: `${scratch}/control.sock` },
      { name: STDIO_PORT, socket: `${scratch}/stdio.sock` },
    ],
    controlSocket: `${scratch}/qmp.sock`,
    console: `${scratch}/console.log`,
  };
}

async function awaitHello(system: System, { ports }: VmSpec): Promise<void> {
  const [control] = ports;
  if (control === undefined) throw new Fault('internal', 'a trial without a control port');
  const deadline = { timeoutMs: HELLO_WITHIN_MS, atMs: system.now() + HELLO_WITHIN_MS };
  (await connectChannel(system, control, deadline)).close();
}

/** Never resolves: what ends a trial well is the hello. */
async function refuseSilence(system: System, console: string): Promise<never> {
  const deadlineMs = system.now() + FIRST_WORD_WITHIN_MS;
  while (((await system.readFile(console))?.length ?? 0) === 0) {
    if (system.now() > deadlineMs) {
      throw new Fault('timeout', `the guest's kernel said nothing within ${FIRST_WORD_WITHIN_MS} ms`);
    }
    await system.sleep(LOOK_AGAIN_MS);
  }
  return new Promise(() => {});
}
