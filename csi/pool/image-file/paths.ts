import { randomBytes } from 'node:crypto';

/** Directories of an image-file pool, all on one file system: volumes come in and go out by rename(2). */
export interface ImageFilePaths {
  readonly root: string;
  /** `<volume id>/{spec.json,fs.json,lease,image.raw}` */
  readonly volumes: string;
  /** Volumes being made. */
  readonly incoming: string;
  /** Volumes being freed. */
  readonly trash: string;
}

export function imageFilePaths(root: string): ImageFilePaths {
  return { root, volumes: `${root}/volumes`, incoming: `${root}/incoming`, trash: `${root}/trash` };
}

/** Says whose it was, and never meets the leftover of an earlier attempt. */
export function uniqueName(volumeId: string): string {
  return `${volumeId}.${randomBytes(8).toString('hex')}`;
}
