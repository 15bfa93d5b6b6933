import type { HelloFound } from '../../proto/hello.ts';
import { Wake } from '../system/channel/wake.ts';
import { EAGAIN, O, sys } from '../system/native/sys.ts';
import { awaitFound, sleep } from './await-found.ts';
import { Conversation } from './conversation.ts';
import { readText } from './files.ts';

const PORTS = '/sys/class/virtio-ports';
const APPEARS_WITHIN_MS = 10_000;
/** While no host is connected, epoll reports HUP without end: then we look again by the clock. */
const HOST_ABSENT_MS = 50;
/** drivers/char/virtio_console.c moves at most this much in one call. */
const READ_BYTES = 32 << 10;

/** Opens a virtio-serial port by the name that the VMM gave it. */
export async function openHostPort(name: string): Promise<HostPort> {
  const path = await awaitFound(`the virtio-serial port ${name}`, APPEARS_WITHIN_MS, () => findPort(name));
  return new HostPort(sys.open(path, O.RDWR | O.NONBLOCK));
}

/** No udev makes /dev/virtio-ports in the guest. A port has its name a moment after its node. */
function findPort(name: string): string | undefined {
  if (sys.stat(PORTS) === null) return undefined;
  const node = sys.readdir(PORTS).find((port) => readText(`${PORTS}/${port}/name`)?.trim() === name);
  return node !== undefined && sys.stat(`/dev/${node}`) !== null ? `/dev/${node}` : undefined;
}

/** The guest's end of a virtio-serial port: open for the life of the VM, while hosts come and go. */
export class HostPort {
  private readonly fd: number;
  private readonly buffer = new Uint8Array(READ_BYTES);
  private readonly readable = new Wake();
  private readonly writable = new Wake();
  private isWaitingToRead = false;
  private isWaitingToWrite = false;
  /** A hello that ended the conversation before it. */
  private greeting: HelloFound | undefined;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** The next conversation with a host. One at a time: the stream before must have ended or been closed. */
  accept(): Promise<Conversation> {
    const greeting = this.greeting;
    this.greeting = undefined;
    return Conversation.begin(this, greeting);
  }

  /** Keeps a hello for the next accept(). */
  putBack(greeting: HelloFound): void {
    this.greeting = greeting;
  }

  /** The next bytes; undefined when no host is connected, or as soon as `isOver`. One read at a time. */
  async read(isOver: () => boolean): Promise<Uint8Array | undefined> {
    while (!isOver()) {
      const length = sys.read(this.fd, this.buffer);
      if (length === 0) return undefined;
      if (length !== EAGAIN) return this.buffer.slice(0, length);
      this.isWaitingToRead = true;
      this.watch();
      await this.readable.wait();
    }
    return undefined;
  }

  /** Resolves when the kernel has taken all bytes; false if it was over before. One write at a time. */
  async write(data: Uint8Array, isOver: () => boolean): Promise<boolean> {
    let wasWoken = false;
    for (let offset = 0; offset < data.length; ) {
      if (isOver()) return false;
      const length = sys.write(this.fd, data, offset);
      if (length !== EAGAIN) {
        offset += length;
        wasWoken = false;
      } else if (wasWoken) {
        // Woken, and still no room: by a HUP.
        await sleep(HOST_ABSENT_MS);
        wasWoken = false;
      } else {
        this.isWaitingToWrite = true;
        this.watch();
        await this.writable.wait();
        wasWoken = true;
      }
    }
    return true;
  }

  /** Until a host may be there again. */
  awaitHost(): Promise<void> {
    return sleep(HOST_ABSENT_MS);
  }

  /** Pending reads and writes look again whether it is over. */
  wake(): void {
    this.readable.wake();
    this.writable.wake();
  }

  private watch(): void {
    const readable = (): void => {
      this.isWaitingToRead = false;
      this.watch();
      this.readable.wake();
    };
    const writable = (): void => {
      this.isWaitingToWrite = false;
      this.watch();
      this.writable.wake();
    };
    sys.watch(this.fd, this.isWaitingToRead ? readable : null, this.isWaitingToWrite ? writable : null);
  }
}
