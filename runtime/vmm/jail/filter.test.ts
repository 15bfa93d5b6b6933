import { describe, expect, it } from 'vitest';
import { encodeFilter } from './filter.ts';

const X86_64 = 0xc000003e;
const I386 = 0x40000003;

/** What the kernel's interpreter of classic BPF answers for a system call. */
function run(architecture: number, number: number): number {
  const code = new DataView(encodeFilter().buffer);
  const data: Readonly<Record<number, number>> = { 0: number, 4: architecture };
  let accumulator = 0;
  for (let at = 0; at < code.byteLength; at += 8) {
    const operand = code.getUint32(at + 4, true);
    const jump = (isTrue: boolean): void => {
      at += 8 * code.getUint8(at + (isTrue ? 2 : 3));
    };
    switch (code.getUint16(at, true)) {
      case 0x20:
        accumulator = data[operand] ?? Number.NaN;
        break;
      case 0x15:
        jump(accumulator === operand);
        break;
      case 0x35:
        jump(accumulator >= operand);
        break;
      case 0x06:
        return operand;
      default:
        throw new Error(`instruction ${at / 8}`);
    }
  }
  throw new Error('ran past the end');
}

describe('the filter', () => {
  it.each([
    ['read', X86_64, 0, 0x7fff0000],
    ['ptrace', X86_64, 101, 0x00050001],
    ['waitid', X86_64, 247, 0x7fff0000],
    ['add_key', X86_64, 248, 0x00050001],
    ['request_key', X86_64, 249, 0x00050001],
    ['keyctl', X86_64, 250, 0x00050001],
    ['ioprio_set', X86_64, 251, 0x7fff0000],
    ['name_to_handle_at', X86_64, 303, 0x00050001],
    ['open_by_handle_at', X86_64, 304, 0x00050001],
    ['clock_adjtime, the next one', X86_64, 305, 0x7fff0000],
    ['process_vm_readv', X86_64, 310, 0x00050001],
    ['process_vm_writev', X86_64, 311, 0x00050001],
    ['pidfd_getfd', X86_64, 438, 0x00050001],
    ['x32 open_by_handle_at', X86_64, 0x40000000 + 304, 0x80000000],
    ['the first of x32', X86_64, 0x40000000, 0x80000000],
    ['the last before x32', X86_64, 0x3fffffff, 0x7fff0000],
    ['i386 open_by_handle_at', I386, 342, 0x80000000],
    ['i386 read', I386, 3, 0x80000000],
  ])('%s', (_, architecture, number, answer) => {
    expect(run(architecture, number)).toBe(answer);
  });
});
