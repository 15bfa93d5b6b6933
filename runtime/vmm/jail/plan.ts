import { Fault } from '../../../proto/fault.ts';
import type { DeviceNumber } from '../../system/device-number.ts';
import { MOUNT_ATTR } from '../../system/native/sys.ts';
import { CAPABILITY } from './capabilities.ts';
import { JAIL } from './layout.ts';
import type { JailRequest } from './request.ts';

/** Of a host directory that programs need; null: the host has none. */
export type Entry = { readonly link: string } | 'directory' | null;

/** What of the host decides how the jail is made. */
export interface JailHost {
  /** Of SYSTEM_DIRECTORIES, by path. */
  readonly entries: Readonly<Record<string, Entry>>;
  readonly hasLoaderCache: boolean;
  /** Of /dev/kvm; null: there is none. */
  readonly kvm: DeviceNumber | null;
}

export interface Bind {
  readonly source: string;
  readonly target: string;
  readonly isDirectory: boolean;
  /** MOUNT_ATTR_* of it and of what is mounted below. */
  readonly attributes: number;
}

/** The whole root of a jail; what is not here, the VMM does not see. */
export interface JailPlan {
  readonly links: readonly { readonly path: string; readonly target: string }[];
  readonly binds: readonly Bind[];
  readonly devices: readonly (DeviceNumber & { readonly path: string })[];
  /** Capabilities that the VMM keeps. */
  readonly kept: readonly number[];
}

/** Beside /usr, where systems without a merged /usr have programs and libraries, and others links. */
export const SYSTEM_DIRECTORIES = ['/bin', '/sbin', '/lib', '/lib64'] as const;
export const LOADER_CACHE = '/etc/ld.so.cache';
/** QEMU's 9p server reads extended attributes by the names of its own descriptors. */
const OWN_DESCRIPTORS = '/proc/self/fd';

const READ_ONLY = MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV;
const DATA = READ_ONLY | MOUNT_ATTR.NOEXEC;

export function planJail(request: JailRequest, host: JailHost): JailPlan {
  const { program, guest, shares } = request;
  const entries = SYSTEM_DIRECTORIES.map((path) => ({ path, entry: host.entries[path] ?? null }));
  const directories = ['/usr', ...entries.filter(({ entry }) => entry === 'directory').map(({ path }) => path)];
  const isShown = directories.some((path) => program.startsWith(`${path}/`));
  const data = [...(host.hasLoaderCache ? [LOADER_CACHE] : [])];
  return {
    links: entries.flatMap(({ path, entry }) =>
      entry !== null && entry !== 'directory' ? [{ path, target: entry.link }] : [],
    ),
    binds: [
      ...directories.map((path) => bind(path, path, true, READ_ONLY)),
      ...(isShown ? [] : [bindProgram(program)]),
      ...data.map((path) => bind(path, path, false, DATA)),
      ...(guest === undefined
        ? []
        : [bind(guest.kernel, JAIL.kernel, false, DATA), bind(guest.initrd, JAIL.initrd, false, DATA)]),
      ...shares.map(({ id, path }) => bind(path, JAIL.share(id), true, DATA)),
      ...(shares.length > 0 ? [bind(OWN_DESCRIPTORS, OWN_DESCRIPTORS, true, DATA)] : []),
    ],
    devices: [
      { path: '/dev/null', major: 1, minor: 3 },
      { path: '/dev/urandom', major: 1, minor: 9 },
      ...(request.kvm ? [{ path: '/dev/kvm', ...kvmOf(host) }] : []),
    ],
    // Files of a container's root belong to anybody, and the guest is to read them all.
    kept: shares.length > 0 ? [CAPABILITY.DAC_READ_SEARCH] : [],
  };
}

/**
 * Of PREFIX/bin/PROGRAM the whole PREFIX, with libraries, modules and firmware; of any other the file alone, for what
 * lies beside it may be anything: /root/bin has no PREFIX.
 */
function bindProgram(program: string): Bind {
  const [prefix] = /^(\/[^/]+){2,}(?=\/(bin|sbin|libexec)\/[^/]+$)/.exec(program) ?? [];
  return prefix === undefined ? bind(program, program, false, READ_ONLY) : bind(prefix, prefix, true, READ_ONLY);
}

function bind(source: string, target: string, isDirectory: boolean, attributes: number): Bind {
  return { source, target, isDirectory, attributes };
}

function kvmOf({ kvm }: JailHost): DeviceNumber {
  if (kvm !== null) return kvm;
  throw new Fault('environment', 'there is no /dev/kvm; load the module kvm_intel or kvm_amd');
}
