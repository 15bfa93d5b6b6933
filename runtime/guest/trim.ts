import { Fault } from '../../proto/fault.ts';
import type { Completed } from '../system/port.ts';
import { toolFault } from './tool.ts';

/** What `fstrim --verbose` says: `/data: 1.2 GiB (1288490188 bytes) trimmed`. */
export function parseTrimmedBytes(serial: string, completed: Completed): number {
  if (completed.exitCode === 0) {
    return Number(/\((\d+) bytes\) trimmed/.exec(new TextDecoder().decode(completed.stdout))?.[1] ?? 0);
  }
  const fault = toolFault(['fstrim'], completed);
  if (!String(fault.fields['stderr']).includes('not supported')) throw fault;
  throw new Fault(
    'unsupported',
    `the disk ${serial} takes no discards: its volume is thick, or of a class with discard: "false"`,
    {
      fields: { serial },
      cause: fault,
    },
  );
}
