import { randomBytes } from 'node:crypto';

/** Directories of an image-file pool, all on one file system: volumes and snapshots come in and go out by rename(2). */
export interface ImageFilePaths {
  readonly root: string;
  /** `<volume id>/{spec.json,fs.json,lease,image.raw}` */
  readonly volumes: string;
  /** `<snapshot id>/{snapshot.json,fs.json,image.raw}` */
  readonly snapshots: string;
  /** What is being made. */
  readonly incoming: string;
  /** What is being copied, which may take many starts: by the id that it will have, with `progress.json`. */
  readonly copies: string;
  /** What is being freed. */
  readonly trash: string;
  /** A file: see Reserve. */
  readonly reserve: string;
}

export function imageFilePaths(root: string): ImageFilePaths {
  return {
    root,
    volumes: `${root}/volumes`,
    snapshots: `${root}/snapshots`,
    incoming: `${root}/incoming`,
    copies: `${root}/copies`,
    trash: `${root}/trash`,
    reserve: `${root}/reserve`,
  };
}

/** Says whose it was, and never meets the leftover of an earlier attempt. */
export function uniqueName(id: string): string {
  return `${id}.${randomBytes(8).toString('hex')}`;
}
