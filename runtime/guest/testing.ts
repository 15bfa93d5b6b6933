import { silentLog } from '../system/log.ts';
import { O, sys } from '../system/native/sys.ts';
import { createNativeSystem } from '../system/native/system.ts';
import { nativeProgram, testProgram } from '../system/native/testing.ts';
import { giveToGroup } from './give-to-group.ts';
import { requireTool } from './tool.ts';
import { Volumes } from './volume.ts';

/** Of the disks of native tests. */
export const DISK_BYTES = 64 << 20;

const system = createNativeSystem();
/** A program that must succeed; answers what it printed. */
export async function run(...command: string[]): Promise<string> {
  return new TextDecoder().decode((await requireTool(system, command, 20_000)).stdout);
}

nativeProgram('give-to-group', giveToGroup);

export interface TestDisk {
  readonly image: string;
  readonly device: string;
}

/** A blank disk, a loop device, gone with the test. */
export async function withDisk(directory: string, body: (disk: TestDisk) => Promise<void>): Promise<void> {
  const image = `${directory}/disk`;
  resizeImage(image, DISK_BYTES);
  const device = (await run('losetup', '--find', '--show', image)).trim();
  try {
    await body({ image, device });
  } finally {
    await run('losetup', '--detach', device);
  }
}

export function resizeImage(image: string, sizeBytes: number): void {
  const fd = sys.open(image, O.WRONLY | O.CREAT, 0o600);
  sys.ftruncate(fd, sizeBytes);
  sys.close(fd);
}

/** An agent's volumes; `devices` by serial. */
export const volumesOf = (devices: Readonly<Record<string, string>>): Volumes =>
  new Volumes({
    system,
    log: silentLog,
    locate: async (serial) => devices[serial] ?? `/dev/none-${serial}`,
    program: testProgram('give-to-group').slice(0, -1),
  });

export const formatRequest = (fsType = 'ext4', resume = false) => ({ serial: 'v', fsType, resume, mkfsOptions: [] });

export const storage = (
  mountPoint: string,
  changes: { serial?: string; fsType?: string; readOnly?: boolean } = {},
) => ({
  ...{ serial: 'v', fsType: 'ext4', mountPoint, readOnly: false, ownership: undefined },
  options: ['noatime,nodev'],
  ...changes,
});
