/** linux/bpf_common.h, linux/seccomp.h, linux/audit.h; numbers of system calls are those of x86-64. */
const LOAD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_AT_LEAST = 0x35;
const RETURN = 0x06;
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const X86_64 = 0xc000003e;
/** The first number of the x32 calls, which are x86-64's by other names. */
const X32 = 0x40000000;
const KILL_PROCESS = 0x80000000;
const REFUSE_EPERM = 0x00050001;
const ALLOW = 0x7fff0000;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

/**
 * CAP_DAC_READ_SEARCH, which reading a container's root takes, also opens any file of a file system by its handle,
 * whatever a mount namespace shows; and the shim's keys, root's, stay with the process. Of two VMMs that are one user,
 * in PID namespaces one below the other, the upper could look into the lower.
 */
const REFUSED = {
  ptrace: 101,
  add_key: 248,
  request_key: 249,
  keyctl: 250,
  name_to_handle_at: 303,
  open_by_handle_at: 304,
  process_vm_readv: 310,
  process_vm_writev: 311,
  pidfd_getfd: 438,
} as const;

/** Refuses these, and ends a process that calls by another table: jumps count the instructions that they leave out. */
function planFilter(refused: readonly number[]): readonly Instruction[] {
  return [
    [LOAD, 0, 0, ARCHITECTURE_AT],
    [JUMP_IF_EQUAL, 0, refused.length + 4, X86_64],
    [LOAD, 0, 0, NUMBER_AT],
    [JUMP_IF_AT_LEAST, refused.length + 2, 0, X32],
    ...refused.map((number, index): Instruction => [JUMP_IF_EQUAL, refused.length - index, 0, number]),
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, REFUSE_EPERM],
    [RETURN, 0, 0, KILL_PROCESS],
  ];
}

/** As the kernel takes it: struct sock_filter of 8 bytes, little-endian. */
export function encodeFilter(): Uint8Array {
  const instructions = planFilter(Object.values(REFUSED));
  const program = new DataView(new ArrayBuffer(instructions.length * 8));
  for (const [index, [code, ifTrue, ifFalse, operand]] of instructions.entries()) {
    program.setUint16(index * 8, code, true);
    program.setUint8(index * 8 + 2, ifTrue);
    program.setUint8(index * 8 + 3, ifFalse);
    program.setUint32(index * 8 + 4, operand, true);
  }
  return new Uint8Array(program.buffer);
}
