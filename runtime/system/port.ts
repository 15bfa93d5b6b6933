/**
 * What programs need of the operating system, as an asynchronous port with two implementations: node/ for servers and
 * the CLI, native/ for the static binary. One contract test (contract.ts) holds the two together. Absence that a
 * caller expects is a return value, never a throw; everything else is a Fault (`io`, `exec`, `timeout`) whose cause
 * carries the errno name in `code`.
 */
export interface System extends Files {
  /** The end of a file, at most so many bytes, however long it is; undefined if there is none. */
  readTail(path: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** Connects to a unix stream socket. Fault `io` with cause.code ENOENT or ECONNREFUSED when nobody listens. */
  connect(path: string): Promise<ByteStream>;
  /** Listens on a unix stream socket of mode 0600, replacing a stale one that nobody serves. */
  listen(path: string, accept: (stream: ByteStream) => void): Promise<Listener>;
  /** Runs a program to its end. A non-zero exit is an answer, not a Fault; a program that is not there is one (`environment`). */
  run(command: Command): Promise<Completed>;
  sleep(milliseconds: number): Promise<void>;
  /** Monotonic, in milliseconds. */
  now(): number;
  randomBytes(length: number): Uint8Array;
}

/** The part that a program of milliseconds needs: what it does not import, it does not load. */
export interface Files {
  /** The whole file; undefined if there is none. */
  readFile(path: string): Promise<Uint8Array | undefined>;
  /**
   * Replaces the file atomically: unique temporary file in the same directory, write, rename. With `durable`, both the
   * file and its directory are synced before the promise resolves, so that a crash right after keeps the content.
   */
  writeFile(path: string, data: Uint8Array, options: WriteOptions): Promise<void>;
  /** Removes a file, socket or FIFO, or an empty directory. False if it was not there. */
  remove(path: string, options?: { durable: boolean }): Promise<boolean>;
  /** Names in a directory, sorted; empty if there is no directory. */
  list(directory: string): Promise<readonly string[]>;
  /** Makes the directory and its parents with `mode`; existing ones stay as they are. */
  makeDirectory(path: string, mode: number): Promise<void>;
}

export interface WriteOptions {
  readonly mode: number;
  readonly durable: boolean;
}

/** A byte stream that is pulled: the reader sets the pace, so back-pressure needs no protocol of its own. */
export interface ByteStream {
  /** The next bytes, at least one; undefined at the end. One read at a time. */
  read(): Promise<Uint8Array | undefined>;
  /** Resolves when the kernel has taken all bytes. Writes are sent in the order of the calls. Fault `io` if the peer is gone. */
  write(data: Uint8Array): Promise<void>;
  /** Closes both directions; a pending read resolves with undefined. Idempotent. */
  close(): void;
}

export interface Listener {
  /** Stops listening and removes the socket. Idempotent. */
  close(): Promise<void>;
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly stdin?: Uint8Array;
  /** Replaces the environment; without it, the program's own, with LC_ALL=C. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Kills the child then: Fault `timeout`. */
  readonly timeoutMs?: number;
}

export interface Completed {
  /** Exit status; 128 + signal number for a child that a signal ended. */
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}
