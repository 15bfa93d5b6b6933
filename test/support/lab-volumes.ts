import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { CsiServer } from '../../deploy/demo/csi-server.ts';
import { createDemoVolume, type DemoVolume } from '../../deploy/demo/volume.ts';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import type { Lab } from './lab.ts';

/** A volume of a lab, published for one pod. */
export interface LabVolume {
  readonly id: string;
  readonly target: string;
  filesystem(): Promise<VolumeFilesystem>;
  isLeaseFree(): Promise<boolean>;
  /** A file of a file system that no VM has: debugfs mounts nothing. */
  read(path: string): Promise<string>;
  /** Unpublishes and deletes it. */
  remove(): Promise<void>;
}

const SIZE_BYTES = 64 << 20;

export async function createLabVolume(
  lab: Lab,
  csi: CsiServer,
  name: string,
  kubeletDirectory = '/run/kubelet',
): Promise<LabVolume> {
  const { root } = lab;
  const request = { name, pool: 'pool', sizeBytes: SIZE_BYTES, kubeletDirectory, root };
  const volume: DemoVolume = await createDemoVolume(csi.client, request);
  const target = await volume.publish(name);
  const file = (which: keyof typeof VOLUME_FILES) => join(lab.poolDirectory, 'volumes', volume.id, VOLUME_FILES[which]);
  return {
    id: volume.id,
    target,
    filesystem: async () => volumeFilesystemRecord.decode(await readFile(file('filesystem'), 'utf8'), volume.id),
    async isLeaseFree() {
      const { exitCode } = await execa('flock', ['--nonblock', file('lease'), 'true'], { reject: false });
      return exitCode === 0;
    },
    read: (path) => exec('debugfs', ['-R', `cat ${path}`, file('image')]),
    async remove() {
      await volume.unpublish(target);
      await volume.unstage();
      await volume.delete();
    },
  };
}
