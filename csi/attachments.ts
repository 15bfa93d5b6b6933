import { createHash } from 'node:crypto';
import { rmdir } from 'node:fs/promises';
import { Fault } from '../proto/fault.ts';
import { runPaths } from '../proto/paths.ts';
import { type VolumeAttachment, volumeAttachmentRecord } from '../proto/volume-attachment.ts';
import { failpoint } from '../runtime/system/failpoint.ts';
import { errorCode } from '../runtime/system/node/errno.ts';
import type { System } from '../runtime/system/port.ts';
import { type RecordFile, recordFile } from '../runtime/system/record-file.ts';
import { ensureNoTemporaryFiles } from '../runtime/system/temporary-files.ts';

/** The VolumeAttachment records: `<run directory>/volumes/<pod UID>/<hash of the target path>.json`. */
export class Attachments {
  private readonly system: System;
  private readonly root: string;
  private last: Promise<unknown> = Promise.resolve();

  constructor(system: System, runDirectory: string) {
    this.system = system;
    this.root = runPaths(runDirectory).volumes;
  }

  /**
   * At the start: removes what a server that was killed was writing, and directories that it left empty. A publication
   * that another server of this node makes at the very moment fails, and is repeated.
   */
  async sweep(): Promise<void> {
    for (const podUid of await this.system.list(this.root)) {
      const directory = `${this.root}/${podUid}`;
      await ensureNoTemporaryFiles(this.system, directory);
      await removeIfEmpty(directory);
    }
  }

  /** A record that cannot be read is thrown, not skipped: it may be the one that protects a volume. */
  async all(): Promise<VolumeAttachment[]> {
    const found: VolumeAttachment[] = [];
    for (const podUid of await this.system.list(this.root)) {
      for (const name of await this.system.list(`${this.root}/${podUid}`)) {
        if (!name.endsWith('.json')) continue; // a file that is being written
        const attachment = await this.file(`${this.root}/${podUid}/${name}`).load();
        if (attachment !== undefined) found.push(attachment);
      }
    }
    return found;
  }

  /** Of one target path. Looks at no other record, so that one which cannot be read is in nobody else's way. */
  async at(targetPath: string): Promise<VolumeAttachment[]> {
    const podUids = await this.system.list(this.root);
    const files = podUids.map((podUid) => this.file(`${this.root}/${podUid}/${fileName(targetPath)}`));
    const found = await Promise.all(files.map((file) => file.load()));
    return found.filter((attachment) => attachment !== undefined);
  }

  async save(attachment: VolumeAttachment): Promise<void> {
    await this.alone(async () => {
      await this.system.makeDirectory(this.directoryOf(attachment), 0o700);
      await this.file(this.pathOf(attachment)).save(attachment);
    });
  }

  /** Also the pod's directory, when this was the last of its records. */
  async remove(attachment: Pick<VolumeAttachment, 'podUid' | 'targetPath'>): Promise<void> {
    await this.alone(async () => {
      await this.file(this.pathOf(attachment)).remove();
      await removeIfEmpty(this.directoryOf(attachment));
    });
  }

  private directoryOf({ podUid }: Pick<VolumeAttachment, 'podUid'>): string {
    return `${this.root}/${podUid}`;
  }

  private pathOf(attachment: Pick<VolumeAttachment, 'podUid' | 'targetPath'>): string {
    return `${this.directoryOf(attachment)}/${fileName(attachment.targetPath)}`;
  }

  private file(path: string): RecordFile<VolumeAttachment> {
    return recordFile(this.system, volumeAttachmentRecord, path, { durable: false });
  }

  /** Two volumes of one pod are two verbs at once: none may remove the directory that the other writes to. */
  private alone<T>(body: () => Promise<T>): Promise<T> {
    const result = this.last.then(body);
    this.last = result.catch(() => undefined);
    return result;
  }
}

function fileName(targetPath: string): string {
  return `${createHash('sha256').update(targetPath).digest('hex').slice(0, 32)}.json`;
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (cause) {
    if (['ENOENT', 'ENOTEMPTY', 'ENOTDIR'].includes(errorCode(cause) ?? '')) return;
    throw new Fault('io', `could not remove the directory ${directory}`, { fields: { path: directory }, cause });
  }
  failpoint('directory.removed');
}
