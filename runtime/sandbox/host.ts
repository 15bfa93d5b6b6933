import type { LeaseMode } from '../system/native/lease.ts';
import type { LocatedFile } from '../system/native/located-file.ts';
import type { ByteStream, System } from '../system/port.ts';

/**
 * What a sandbox needs of its host beyond `System`: descriptors that are passed on, and what only the static binary can
 * do. native-host.ts is the implementation; tests of the sequences bring their own.
 */
export interface SandboxHost {
  readonly system: System;
  /** Follows symbolic links. */
  describePath(path: string): 'directory' | 'other' | 'absent';
  /** Undefined if nothing is there. */
  locate(path: string): LocatedFile | undefined;
  /** Fault `not-found` if there is none, `invalid` if `path` is something else. */
  openNetns(path: string): Netns;
  /** The interfaces of the namespace by name, each with its `ifalias`, empty if it has none. */
  readLinkAliases(netns: Netns): ReadonlyMap<string, string>;
  /**
   * Takes the lock of the file, alone or with others that share it, and writes `ownerText` into it; or answers the text of
   * whoever holds it.
   */
  takeLease(path: string, ownerText: string, mode: LeaseMode): HeldLease | { readonly heldBy: string };
  /** Takes the lock of the file, which is made if it is not there; undefined when another open file has it. */
  tryLock(path: string): HeldLease | undefined;
  /** Frees what a file takes beyond its end: see forget-head.ts. */
  forgetHead(path: string, keptBytes: number): void;
  /** Opens a FIFO without waiting for the other side: see native-host.ts. */
  openFifo(path: string, direction: 'read' | 'write'): ByteStream;
  /**
   * Replaces a file durably, in a child process, so that the shim's loop never waits for a disk. The child holds
   * `lease` too: a write that outlives its shim cannot come after the next owner's.
   */
  writeDurable(path: string, content: Uint8Array, mode: number, lease: HeldLease): Promise<void>;
}

export interface Netns {
  readonly fd: number;
  /** `dev:inode`, the identity that the network attachment names. */
  readonly id: string;
  /** Idempotent. */
  close(): void;
}

/** A lock that belongs to an open file: it is free when the last process that has the file open has closed it. */
export interface HeldLease {
  readonly fd: number;
  /** Closes this process's descriptor. Idempotent. */
  close(): void;
}
