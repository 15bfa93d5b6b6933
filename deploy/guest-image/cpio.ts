/** An entry of an initramfs. Paths are relative and have no leading slash; parents come before their children. */
export type CpioEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly content: Uint8Array };

const DIRECTORY = 0o040000;
const REGULAR = 0o100000;
const ALIGNMENT = 4;

/**
 * A `newc` archive as the kernel unpacks it (Documentation/driver-api/early-userspace/buffer-format.rst). Owner is root
 * and every time is zero: the same entries are the same bytes.
 */
export function encodeCpio(entries: readonly CpioEntry[]): Buffer {
  const members = entries.map((entry, index) => {
    const isFile = entry.kind === 'file';
    return member(index + 1, (isFile ? REGULAR : DIRECTORY) | entry.mode, entry.path, isFile ? entry.content : empty);
  });
  return Buffer.concat([...members.flat(), ...member(0, 0, 'TRAILER!!!', empty)]);
}

const empty = new Uint8Array(0);

function member(inode: number, mode: number, path: string, content: Uint8Array): Uint8Array[] {
  const name = Buffer.from(`${path}\0`);
  const [userId, groupId, links, time, device] = [0, 0, 1, 0, 0];
  const numbers = [inode, mode, userId, groupId, links, time, content.length, device, device, device, device];
  const header = Buffer.from(`070701${[...numbers, name.length, 0].map(hex8).join('')}`);
  return [header, name, padding(header.length + name.length), content, padding(content.length)];
}

const hex8 = (value: number): string => value.toString(16).padStart(8, '0');

const padding = (length: number): Uint8Array => new Uint8Array((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);
