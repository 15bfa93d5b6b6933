import type { RunPaths } from '../../proto/paths.ts';
import type { System } from '../../runtime/system/port.ts';
import { type Attachments, targetKey } from '../attachments.ts';
import type { HostCalls } from '../host-calls.ts';
import { type DevicePlaceholder, ensureNoPlaceholderLoop } from '../placeholder-device.ts';

const directoryOf = (run: RunPaths): string => `${run.csi}/block`;

/** What stands for a volume in Block mode at a target path: a file of its own among those of this node. */
export function devicePlaceholderOf(run: RunPaths, targetPath: string): DevicePlaceholder {
  return { file: `${directoryOf(run)}/${targetKey(targetPath)}`, targetPath };
}

/** At the start: the directory, without files and loops of publications that a killed server did not record. */
export async function sweepBlockFiles(
  { system, host, attachments }: { system: System; host: HostCalls; attachments: Attachments },
  run: RunPaths,
): Promise<void> {
  const directory = directoryOf(run);
  await system.makeDirectory(directory, 0o700);
  const used = attachments.targetKeys();
  for (const name of await system.list(directory)) {
    if (!used.has(name)) await ensureNoPlaceholderLoop(host, `${directory}/${name}`);
  }
}
