import { forgive } from '../system/native/errors.ts';
import { createStream } from '../system/native/stream.ts';
import { O, sys } from '../system/native/sys.ts';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

export async function readStdin(): Promise<Uint8Array> {
  return readToEnd(STDIN, 'standard input');
}

/** Owns the descriptor. */
export async function readToEnd(fd: number, name: string): Promise<Uint8Array> {
  const stream = createStream(fd, name);
  const bytes: number[] = [];
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) bytes.push(...chunk);
  stream.close();
  return Uint8Array.from(bytes);
}

/** What `start` prints is parsed by containerd, so nothing else goes there. */
export const writeStdout = (text: string): void => write(STDOUT, text);

/** The log. It is lost when its file system is full: that must not end the process that holds the pod together. */
export const writeStderr = (text: string): void =>
  forgive(['ENOSPC', 'EDQUOT', 'EIO', 'EPIPE'], undefined, () => write(STDERR, text));

/** From here on standard error is appended to the file. */
export function redirectStderr(path: string): void {
  redirect(STDERR, sys.open(path, O.WRONLY | O.CREAT | O.APPEND, 0o600));
}

/** Whoever reads standard output sees its end. */
export function endStdout(): void {
  redirect(STDOUT, sys.open('/dev/null', O.WRONLY));
}

function redirect(standard: number, fd: number): void {
  sys.dup2(fd, standard);
  sys.close(fd);
}

/** A few lines, to a file or to a pipe with room for them; what does not go at once is lost, like its reader. */
function write(fd: number, text: string): void {
  sys.write(fd, sys.utf8Encode(text));
}
