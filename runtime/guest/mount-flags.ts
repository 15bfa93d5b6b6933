/** mount(2), linux/mount.h. */
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  SYNCHRONOUS: 16,
  DIRSYNC: 128,
  NOATIME: 1024,
  NODIRATIME: 2048,
  REMOUNT: 32,
  BIND: 4096,
  MOVE: 8192,
  RELATIME: 1 << 21,
  STRICTATIME: 1 << 24,
  LAZYTIME: 1 << 25,
} as const;

/** Options that are flags of mount(2), in the words of mount(8): those they set, those they clear. */
const FLAGS: Readonly<Record<string, { readonly set?: number; readonly clear?: number }>> = {
  ro: { set: MS.RDONLY },
  rw: { clear: MS.RDONLY },
  nosuid: { set: MS.NOSUID },
  suid: { clear: MS.NOSUID },
  nodev: { set: MS.NODEV },
  dev: { clear: MS.NODEV },
  noexec: { set: MS.NOEXEC },
  exec: { clear: MS.NOEXEC },
  sync: { set: MS.SYNCHRONOUS },
  async: { clear: MS.SYNCHRONOUS },
  dirsync: { set: MS.DIRSYNC },
  noatime: { set: MS.NOATIME },
  atime: { clear: MS.NOATIME },
  nodiratime: { set: MS.NODIRATIME },
  diratime: { clear: MS.NODIRATIME },
  relatime: { set: MS.RELATIME },
  norelatime: { clear: MS.RELATIME },
  strictatime: { set: MS.STRICTATIME },
  nostrictatime: { clear: MS.STRICTATIME },
  lazytime: { set: MS.LAZYTIME },
  nolazytime: { clear: MS.LAZYTIME },
  defaults: {},
};

export interface MountRequest {
  readonly flags: number;
  /** What the file system itself is told. */
  readonly data: string;
}

/** Options as in fstab, one or several to a string, as arguments of mount(2); what is no flag is for the file system. */
export function toMountRequest(options: readonly string[], readOnly: boolean): MountRequest {
  let flags = 0;
  const data: string[] = [];
  for (const option of options.flatMap((text) => text.split(',')).filter(Boolean)) {
    const known = Object.hasOwn(FLAGS, option) ? FLAGS[option] : undefined;
    if (known === undefined) data.push(option);
    else flags = (flags | (known.set ?? 0)) & ~(known.clear ?? 0);
  }
  return { flags: readOnly ? flags | MS.RDONLY : flags, data: data.join(',') };
}
