import type { ByteStream, System } from '../../system/port.ts';
import { memoryStreams } from '../../system/rpc/memory-stream.ts';
import type { HeldLease, SandboxHost } from '../host.ts';

/** Whatever is a device node here. */
export const DEVICE = { major: 7, minor: 3 };

export interface HostPlace {
  /** By path. */
  readonly files: Map<string, string>;
  /** Descriptors that are open, by what they are. */
  readonly open: Map<number, string>;
  /** The only path that is a directory. */
  readonly rootfs: string;
  /** What a lease says that somebody else has; undefined if it is free. */
  readonly readForeignLease: () => string | undefined;
  readonly onSleep: () => void;
  /** A record was written durably. */
  readonly onRecord: () => unknown;
  readonly connect: (path: string) => Promise<ByteStream>;
}

/** Files are the map, and descriptors are numbers. */
export function createFakeHost(place: HostPlace): SandboxHost {
  const { files, open } = place;
  let nextFd = 100;
  const openFd = (what: string): HeldLease => {
    const fd = nextFd++;
    open.set(fd, what);
    return { fd, close: () => void open.delete(fd) };
  };
  return {
    system: createFakeSystem(place),
    forgetHead: () => {},
    describePath: (path) => (files.has(path) ? 'other' : path === place.rootfs ? 'directory' : 'absent'),
    locate: (path) => ({ canonicalPath: path, device: DEVICE }),
    readLinkAliases: () => new Map(),
    openNetns: () => ({ ...openFd('netns'), id: '4:5' }),
    takeLease: (path, ownerText, mode) => {
      const heldBy = place.readForeignLease();
      if (heldBy !== undefined) return { heldBy };
      files.set(path, ownerText);
      return openFd(`${mode === 'shared' ? 'shared ' : ''}lease ${path}`);
    },
    tryLock: (path) => openFd(`lock ${path}`),
    openFifo: (path) => {
      const { close } = openFd(path);
      const [near] = memoryStreams();
      return {
        ...near,
        close: () => {
          close();
          near.close();
        },
      };
    },
    writeDurable: async (path, content, _mode, lease) => {
      const own = `lease ${path.slice(0, path.lastIndexOf('/'))}/lease`;
      if (open.get(lease.fd) !== own) throw new Error('a record was written without the lease');
      files.set(path, new TextDecoder().decode(content));
      place.onRecord();
    },
  };
}

/** What of the port a sandbox uses. */
function createFakeSystem(place: HostPlace): System {
  const { files } = place;
  const bytesOf = (path: string): Uint8Array | undefined => {
    const text = files.get(path);
    return text === undefined ? undefined : new TextEncoder().encode(text);
  };
  return {
    readFile: async (path: string) => bytesOf(path),
    readTail: async (path: string, maxBytes: number) => bytesOf(path)?.slice(-maxBytes),
    writeFile: async (path: string, data: Uint8Array) => void files.set(path, new TextDecoder().decode(data)),
    list: async (directory: string) => [
      ...new Set(
        [...files.keys()]
          .filter((path) => path.startsWith(`${directory}/`))
          .map((path) => path.slice(directory.length + 1).split('/')[0] ?? ''),
      ),
    ],
    connect: place.connect,
    now: () => Date.now(),
    sleep: (ms: number) => {
      place.onSleep();
      return new Promise<void>((resolve) => {
        setTimeout(() => resolve(), ms);
      });
    },
    randomBytes: (length: number) => new Uint8Array(length).fill(7),
  } as unknown as System;
}
