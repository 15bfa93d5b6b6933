import { Fault } from '../../../proto/fault.ts';
import type { ByteStream } from '../port.ts';
import { ioFault, isErrno } from './errors.ts';
import { EAGAIN, sys } from './sys.ts';

const READ_BYTES = 64 * 1024;
/** Reads that find data at once before the loop gets its turn: a fast peer must not starve the others. */
const READS_PER_TURN = 16;

/** One for all streams: the engine is single-threaded, and each read copies out what it got. */
const scratch = new Uint8Array(READ_BYTES);

interface PendingRead {
  readonly resolve: (data: Uint8Array | undefined) => void;
  readonly reject: (error: unknown) => void;
}

interface PendingWrite {
  readonly data: Uint8Array;
  sent: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A byte stream over a descriptor that can be polled: socket, pipe, character device. It owns the descriptor. `name` is
 * what error messages call it. Written data must not change before the promise resolves.
 *
 * A read of 0 bytes is the end, also on a device where it may pass (a virtio-serial port that the host has not opened
 * answers so): whoever opened the device decides whether to open it again.
 */
export function createStream(fd: number, name: string): ByteStream {
  sys.setNonBlocking(fd);
  return new DescriptorStream(fd, name);
}

class DescriptorStream implements ByteStream {
  private readonly fd: number;
  private readonly name: string;
  private pendingRead: PendingRead | undefined;
  private readonly pendingWrites: PendingWrite[] = [];
  private writeFailure: unknown;
  private isClosed = false;
  private readsThisTurn = 0;

  constructor(fd: number, name: string) {
    this.fd = fd;
    this.name = name;
  }

  read(): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      if (this.pendingRead !== undefined) throw new Fault('internal', `two reads at a time of ${this.name}`);
      if (this.isClosed) return resolve(undefined);
      this.pendingRead = { resolve, reject };
      this.readsThisTurn += 1;
      if (this.readsThisTurn <= READS_PER_TURN) this.tryRead();
      else this.readNextTurn();
    });
  }

  write(data: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.isClosed) throw this.closedFault();
      if (this.writeFailure !== undefined) throw this.writeFailure;
      this.pendingWrites.push({ data, sent: 0, resolve, reject });
      if (this.pendingWrites.length === 1) this.tryWrite();
    });
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    sys.close(this.fd);
    this.settleRead((read) => read.resolve(undefined));
    this.failWrites(this.closedFault());
  }

  private tryRead(): void {
    if (this.pendingRead === undefined) return;
    try {
      const length = sys.read(this.fd, scratch);
      if (length === EAGAIN) this.watch();
      else this.settleRead((read) => read.resolve(length === 0 ? undefined : scratch.slice(0, length)));
    } catch (error) {
      // A peer that closed without reading all that we sent: the end, as far as reading goes.
      if (isErrno(error, 'ECONNRESET')) this.settleRead((read) => read.resolve(undefined));
      else this.settleRead((read) => read.reject(ioFault(error, `could not read from ${this.name}`)));
    }
  }

  private readNextTurn(): void {
    setTimeout(() => {
      this.readsThisTurn = 0;
      if (!this.isClosed) this.tryRead();
    });
  }

  private tryWrite(): void {
    try {
      for (let first = this.pendingWrites[0]; first !== undefined && this.send(first); first = this.pendingWrites[0]) {
        this.pendingWrites.shift();
        first.resolve();
      }
    } catch (error) {
      this.writeFailure = ioFault(error, `could not write to ${this.name}`);
      this.failWrites(this.writeFailure);
    }
    this.watch();
  }

  /** Whether the kernel took all of it. */
  private send(write: PendingWrite): boolean {
    while (write.sent < write.data.length) {
      const length = sys.write(this.fd, write.data, write.sent);
      if (length === EAGAIN) return false;
      write.sent += length;
    }
    return true;
  }

  /** Watches for what is waited for, and for nothing else: the loop ends when nothing is. */
  private watch(): void {
    const readable = (): void => {
      this.readsThisTurn = 0;
      this.tryRead();
    };
    sys.watch(
      this.fd,
      this.pendingRead === undefined ? null : readable,
      this.pendingWrites.length === 0 ? null : () => this.tryWrite(),
    );
  }

  private settleRead(settle: (read: PendingRead) => void): void {
    const read = this.pendingRead;
    this.pendingRead = undefined;
    if (!this.isClosed) this.watch();
    if (read !== undefined) settle(read);
  }

  private failWrites(error: unknown): void {
    for (const write of this.pendingWrites.splice(0)) write.reject(error);
  }

  private closedFault(): Fault {
    return new Fault('io', `${this.name} is closed`);
  }
}
