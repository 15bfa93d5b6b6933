import * as v from 'valibot';
import type { Accelerator } from '../../../proto/accelerator.ts';
import { Fault } from '../../../proto/fault.ts';
import { decodeWith } from '../../../proto/record.ts';
import type { System } from '../../system/port.ts';
import { encodeJailRequest } from '../jail/request.ts';
import type { VmmCapabilities } from '../port.ts';
import { findQemu, missingQemu, type QemuProgram } from './binary.ts';
import { encodeQmpCommand, QmpDecoder, type QmpMessage } from './qmp-message.ts';

const TIMEOUT_MS = 10_000;
const ERROR_TAIL_BYTES = 1000;

/** Devices of every pod VM, whatever it asks for. */
const NEEDED = ['virtio-serial-pci', 'virtserialport', 'virtio-net-pci', 'virtio-rng-pci'] as const;
/** What the planner may choose. */
const OPTIONAL = ['tcg-accel', 'kvm-accel', 'virtio-blk-pci', 'virtio-9p-pci'] as const;
/** Names in QEMU's object model. */
const TYPES = [...NEEDED, ...OPTIONAL] as const;
type Type = (typeof TYPES)[number];

const [NEGOTIATE, VERSION, QUIT, FIRST_TYPE] = [1, 2, 3, 4] as const;
const IO_URING = FIRST_TYPE + TYPES.length;
const version = v.looseObject({ qemu: v.looseObject({ major: v.number(), minor: v.number(), micro: v.number() }) });

/** What a QEMU says of itself. */
export interface QemuAnswers {
  /** For people; nothing is decided by it. */
  readonly version: string;
  readonly types: ReadonlySet<Type>;
  readonly ioUring: boolean;
}

/**
 * Asks QEMU itself, in a machine of nothing, by the protocol that it serves anyway: no help text is parsed. In a jail as
 * a VM's: what the kernel lets that user do is part of the answer, and a host that can make no jail is known.
 */
export async function probeCapabilities(system: System, qemu: QemuProgram): Promise<VmmCapabilities> {
  const { binary } = qemu;
  const { version, types, ioUring } = parseAnswers(await ask(system, qemu), binary);
  const missing = NEEDED.find((name) => !types.has(name));
  if (missing !== undefined) throw missingQemu(`${binary} has no device ${missing}`);
  return {
    version,
    accelerators: await usableAccelerators(system, types),
    virtioBlk: types.has('virtio-blk-pci'),
    nineP: types.has('virtio-9p-pci'),
    ioUring,
  };
}

/**
 * Each type is asked for by name. To a question for all that there are, QEMU loads every module that it knows of, and
 * aborts at one of another build, as there is where two versions are installed or one was upgraded by half.
 */
function planQuestions(program: string): Uint8Array {
  const questions = [
    encodeQmpCommand('qmp_capabilities', {}, NEGOTIATE),
    encodeQmpCommand('query-version', {}, VERSION),
    encodeQmpCommand('blockdev-add', openedWithIoUring(program), IO_URING),
    ...TYPES.map((typename, index) => encodeQmpCommand('qom-list-properties', { typename }, FIRST_TYPE + index)),
    encodeQmpCommand('quit', {}, QUIT),
  ];
  return Uint8Array.from(questions.flatMap((question) => [...question]));
}

/** Any file will do: that QEMU has the engine is one half, that the kernel lets it in the other. */
function openedWithIoUring(filename: string) {
  return {
    driver: 'file',
    'node-name': 'probe',
    filename,
    'read-only': true,
    locking: 'off',
    aio: 'io_uring',
  };
}

async function ask(system: System, { binary, jail }: QemuProgram): Promise<Uint8Array> {
  const program = findQemu(binary);
  const [file = '', ...verb] = jail;
  const request = { program, shares: [], kvm: false, inherited: 3, taps: [], endsWithParent: false };
  const args = ['-machine', 'none', '-nodefaults', '-no-user-config', '-display', 'none', '-qmp', 'stdio'];
  const done = await system.run({
    file,
    args: [...verb, encodeJailRequest(request), ...args],
    stdin: planQuestions(program),
    timeoutMs: TIMEOUT_MS,
  });
  if (done.exitCode !== 0) {
    const words = new TextDecoder().decode(done.stderr.slice(-ERROR_TAIL_BYTES)).trim();
    throw new Fault('exec', `${binary} ended with status ${done.exitCode} when asked what it can do: ${words}`);
  }
  return done.stdout;
}

/** All that QEMU wrote in answer; Fault `exec` if it refused a question, or left one without an answer. */
export function parseAnswers(output: Uint8Array, binary: string): QemuAnswers {
  const messages = new QmpDecoder().push(output);
  const { qemu } = decodeWith(version, readReply(messages, VERSION, binary), `${binary}: query-version`);
  const present = TYPES.filter((_, index) => readReply(messages, FIRST_TYPE + index, binary) !== undefined);
  return {
    version: `QEMU ${qemu.major}.${qemu.minor}.${qemu.micro}`,
    types: new Set(present),
    ioUring: messages.some((message) => message.kind === 'reply' && message.id === IO_URING),
  };
}

/** Undefined for a type that this QEMU does not have. */
function readReply(messages: readonly QmpMessage[], id: number, binary: string): unknown {
  const answer = messages.find((message) => 'id' in message && message.id === id);
  if (answer?.kind === 'reply') return answer.value;
  if (answer?.kind === 'error' && answer.class === 'DeviceNotFound') return undefined;
  const failure = answer?.kind === 'error' ? `refused: ${answer.description}` : 'there is no answer';
  throw new Fault('exec', `${binary} cannot be asked what it can do; question ${id}: ${failure}`);
}

/** Built into this QEMU, and for KVM also to be had of this kernel. */
async function usableAccelerators(system: System, types: ReadonlySet<Type>): Promise<readonly Accelerator[]> {
  const hasKvm = types.has('kvm-accel') && (await system.list('/dev')).includes('kvm');
  return [...(types.has('tcg-accel') ? (['tcg'] as const) : []), ...(hasKvm ? (['kvm'] as const) : [])];
}
