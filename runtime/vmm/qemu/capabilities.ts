import * as v from 'valibot';
import type { Accelerator } from '../../../proto/accelerator.ts';
import { Fault } from '../../../proto/fault.ts';
import { decodeWith } from '../../../proto/record.ts';
import type { System } from '../../system/port.ts';
import type { VmmCapabilities } from '../port.ts';
import { missingQemu, withHint } from './binary.ts';
import { encodeQmpCommand, QmpDecoder, type QmpMessage } from './qmp-message.ts';

const TIMEOUT_MS = 10_000;
const ERROR_TAIL_BYTES = 1000;

const [NEGOTIATE, VERSION, ACCELERATORS, DEVICES, QUIT] = [1, 2, 3, 4, 5] as const;
const version = v.looseObject({ qemu: v.looseObject({ major: v.number(), minor: v.number(), micro: v.number() }) });
const types = v.array(v.looseObject({ name: v.string() }));

/** Devices of every pod VM, whatever it asks for. */
const NEEDED = ['virtio-serial-pci', 'virtio-net-pci', 'virtio-rng-pci'];

/** Asks QEMU itself, in a machine of nothing, by the protocol that it serves anyway: no help text is parsed. */
export async function probeCapabilities(system: System, binary: string): Promise<VmmCapabilities> {
  const questions = [
    encodeQmpCommand('qmp_capabilities', {}, NEGOTIATE),
    encodeQmpCommand('query-version', {}, VERSION),
    encodeQmpCommand('qom-list-types', { implements: 'accel' }, ACCELERATORS),
    encodeQmpCommand('qom-list-types', { implements: 'virtio-pci' }, DEVICES),
    encodeQmpCommand('quit', {}, QUIT),
  ];
  const answers = await ask(system, binary, questions);
  const [{ qemu }, accelerators, devices] = [
    decodeWith(version, answers.get(VERSION), `${binary}: query-version`),
    decodeWith(types, answers.get(ACCELERATORS), `${binary}: accelerators`).map(({ name }) => name),
    decodeWith(types, answers.get(DEVICES), `${binary}: devices`).map(({ name }) => name),
  ];
  const missing = NEEDED.find((name) => !devices.includes(name));
  if (missing !== undefined) throw missingQemu(`${binary} has no device ${missing}`);
  return {
    version: `QEMU ${qemu.major}.${qemu.minor}.${qemu.micro}`,
    accelerators: await usableAccelerators(system, accelerators),
    virtioBlk: devices.includes('virtio-blk-pci'),
    nineP: devices.includes('virtio-9p-pci'),
  };
}

async function ask(system: System, binary: string, questions: readonly Uint8Array[]): Promise<Map<number, unknown>> {
  const args = ['-machine', 'none', '-nodefaults', '-no-user-config', '-display', 'none', '-qmp', 'stdio'];
  const stdin = Uint8Array.from(questions.flatMap((question) => [...question]));
  const done = await system.run({ file: binary, args, stdin, timeoutMs: TIMEOUT_MS }).catch((error: unknown) => {
    throw withHint(error, binary);
  });
  if (done.exitCode !== 0) {
    const words = new TextDecoder().decode(done.stderr.slice(-ERROR_TAIL_BYTES)).trim();
    throw new Fault('exec', `${binary} ended with status ${done.exitCode} when asked what it can do: ${words}`);
  }
  return new Map(new QmpDecoder().push(done.stdout).flatMap((message) => toAnswer(message, binary)));
}

function toAnswer(message: QmpMessage, binary: string): [number, unknown][] {
  if (message.kind === 'error') throw new Fault('exec', `${binary} refused a question: ${message.description}`);
  return message.kind === 'reply' ? [[message.id, message.value]] : [];
}

/** Built into this QEMU, and for KVM also to be had of this kernel. */
async function usableAccelerators(system: System, builtIn: readonly string[]): Promise<readonly Accelerator[]> {
  const hasKvm = builtIn.includes('kvm-accel') && (await system.list('/dev')).includes('kvm');
  return [...(builtIn.includes('tcg-accel') ? (['tcg'] as const) : []), ...(hasKvm ? (['kvm'] as const) : [])];
}
