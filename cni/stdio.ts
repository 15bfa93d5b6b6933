import { attempt, forgive, isErrno } from '../runtime/system/native/errors.ts';
import { EAGAIN, O, sys } from '../runtime/system/native/sys.ts';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const CHUNK_BYTES = 16 << 10;
/** A network configuration is a few kilobytes: beyond this it is not one. */
const MAX_INPUT_BYTES = 4 << 20;

/**
 * Before anything is opened: the kernel gives the number of a stream that is closed to the next file, and the answer
 * would be written there. Nothing can be written to what is put in its place, so that an answer which nobody gets is a
 * failure.
 */
export function holdStandardStreams(): void {
  for (const fd of [STDIN, STDOUT, STDERR]) {
    try {
      sys.fstat(fd);
    } catch (error) {
      if (!isErrno(error, 'EBADF')) throw error;
      sys.open('/dev/null', O.RDONLY);
    }
  }
}

/** Standard input to its end. Throws `io`. */
export async function readStdin(): Promise<string> {
  let input = new Uint8Array(CHUNK_BYTES);
  let length = 0;
  for (;;) {
    const count = attempt('could not read the network configuration from standard input', () =>
      sys.read(STDIN, input, length, input.length - length),
    );
    if (count === 0 || length > MAX_INPUT_BYTES) return sys.utf8Decode(input.subarray(0, length));
    if (count === EAGAIN) await untilReady(STDIN, 'readable');
    else length += count;
    if (length === input.length) input = grow(input);
  }
}

/** The only writing to standard output: what the container engine parses. Throws `io` where it is closed or full. */
export async function writeStdout(text: string): Promise<void> {
  const bytes = sys.utf8Encode(text);
  for (let offset = 0; offset < bytes.length; ) {
    const count = attempt('could not write the answer to standard output', () => sys.write(STDOUT, bytes, offset));
    if (count === EAGAIN) await untilReady(STDOUT, 'writable');
    else offset += count;
  }
}

/** A line of the log. What standard error does not take is lost: a log must not hold up a pod. */
export function writeStderr(line: string): void {
  forgive(['EPIPE', 'EBADF', 'ENOSPC', 'EIO'], undefined, () => sys.write(STDERR, sys.utf8Encode(line)));
}

/** The parent may have made the pipe non-blocking. */
function untilReady(fd: number, direction: 'readable' | 'writable'): Promise<void> {
  return new Promise((resolve) => {
    const ready = (): void => {
      sys.watch(fd, null, null);
      resolve();
    };
    sys.watch(fd, direction === 'readable' ? ready : null, direction === 'writable' ? ready : null);
  });
}

function grow(input: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(input.length * 2);
  grown.set(input);
  return grown;
}
