/** A line of /proc/self/mountinfo (proc(5)), as far as berth reads it. */
export interface MountEntry {
  readonly mountPoint: string;
  readonly fsType: string;
  readonly source: string;
}

/** Lines come in the order of the mounts, so of several at one place the last is on top. */
export function parseMountInfo(text: string): readonly MountEntry[] {
  return text.split('\n').flatMap((line) => {
    // A varying number of optional fields stands between the mount options and the separator.
    const [before = '', after = ''] = line.split(' - ', 2);
    const mountPoint = before.split(' ')[4];
    const [fsType, source] = after.split(' ');
    if (mountPoint === undefined || fsType === undefined || source === undefined) return [];
    return [{ mountPoint: unescapeOctal(mountPoint), fsType, source: unescapeOctal(source) }];
  });
}

/** The kernel writes blank, tab, newline and backslash as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
