import { sys } from './sys.ts';

/** Runs `body` with the file open. */
export function withOpen<T>(path: string, flags: number, body: (fd: number) => T): T {
  const fd = sys.open(path, flags);
  try {
    return body(fd);
  } finally {
    sys.close(fd);
  }
}
