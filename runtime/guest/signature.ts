import { Fault } from '../../proto/fault.ts';
import type { Filesystem } from '../../proto/volume-spec.ts';
import type { Completed } from '../system/port.ts';

/** blkid(8), EXIT STATUS: low-level probing found nothing; found several that contradict each other. */
const FOUND = 0;
const NOTHING_FOUND = 2;
const AMBIVALENT = 8;

/** `-p` reads the device itself, past any cache; partition tables count as signatures. */
export const blkidCommand = (device: string): readonly string[] => ['blkid', '-p', '-o', 'export', device];

/** Whether what parseSignature says is the file system; the driver of ext4 mounts its ancestors too. */
export function isOfKind(signature: string, fsType: Filesystem): boolean {
  const [type = ''] = signature.split(' ');
  return fsType === 'ext4' ? ['ext2', 'ext3', 'ext4'].includes(type) : type === fsType;
}

/** What is on a device, in a word or two; undefined if it carries no signature that blkid knows. */
export function parseSignature(device: string, { exitCode, stdout, stderr }: Completed): string | undefined {
  const words = new TextDecoder().decode(stdout);
  if (exitCode === NOTHING_FOUND && words === '') return undefined;
  if (exitCode === AMBIVALENT) return 'several contradicting signatures';
  if (exitCode === FOUND) {
    const value = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(words)?.[1];
    const label = value('LABEL');
    const type = value('TYPE') ?? (value('PTTYPE') === undefined ? 'something' : `partition table ${value('PTTYPE')}`);
    return label === undefined ? type : `${type} labelled ${label}`;
  }
  throw new Fault('exec', `blkid ended with ${exitCode} and could not say what is on ${device}`, {
    fields: { device, exitCode, stderr: new TextDecoder().decode(stderr).trim() },
  });
}
