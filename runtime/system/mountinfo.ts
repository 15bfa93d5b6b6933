import { Fault } from '../../proto/fault.ts';

/** One line of /proc/self/mountinfo (proc_pid_mountinfo(5)), unescaped. */
export interface Mount {
  readonly id: number;
  readonly parentId: number;
  /** Path within the file system that is mounted; `//deleted` at its end when that is gone. */
  readonly root: string;
  readonly mountPoint: string;
  readonly fsType: string;
  readonly source: string;
  readonly options: readonly string[];
}

export function parseMountinfo(text: string): Mount[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine);
}

function parseLine(line: string): Mount {
  const words = line.split(' ');
  const separator = words.indexOf('-', 6); // optional fields, none or more, end there
  const [id, parentId, , root, mountPoint, options] = words;
  const [fsType, source] = words.slice(separator + 1);
  if (separator < 0 || root === undefined || mountPoint === undefined || fsType === undefined || source === undefined) {
    throw new Fault('malformed', `mountinfo has a line of unknown form: ${line}`, { fields: { line } });
  }
  return {
    id: Number(id),
    parentId: Number(parentId),
    root: unescapeWord(root),
    mountPoint: unescapeWord(mountPoint),
    fsType: unescapeWord(fsType),
    source: unescapeWord(source),
    options: (options ?? '').split(','),
  };
}

/** The kernel writes blank, tab, newline and backslash (and `#` in sources) as three octal digits. */
function unescapeWord(word: string): string {
  return word.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** What a look-up of `path` (canonical: no symbolic links) arrives at, if that is a mount point. */
export function topmostMount(mounts: readonly Mount[], path: string): Mount | undefined {
  const here = mounts.filter((mount) => mount.mountPoint === path);
  return here.find((mount) => !here.some((other) => other.parentId === mount.id));
}

/** Mount points below `path`, not at it. */
export function mountsBelow(mounts: readonly Mount[], path: string): Mount[] {
  return mounts.filter((mount) => mount.mountPoint.startsWith(`${path}/`));
}
