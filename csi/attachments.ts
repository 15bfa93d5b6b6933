import { createHash } from 'node:crypto';
import { mkdirSync, rmdirSync } from 'node:fs';
import { basename } from 'node:path';
import { Fault } from '../proto/fault.ts';
import { runPaths } from '../proto/paths.ts';
import { type VolumeAttachment, volumeAttachmentRecord } from '../proto/volume-attachment.ts';
import { failpoint } from '../runtime/system/failpoint.ts';
import { errorCode } from '../runtime/system/node/errno.ts';
import type { System } from '../runtime/system/port.ts';
import { type RecordFile, recordFile } from '../runtime/system/record-file.ts';
import { ensureNoTemporaryFiles } from '../runtime/system/temporary-files.ts';

const SUFFIX = '.json';

type Place = Pick<VolumeAttachment, 'podUid' | 'targetPath'>;

/**
 * The VolumeAttachment records: `<run directory>/volumes/<pod UID>/<key of the target path>.json`. This server is their
 * only writer, so they are read once, when it starts, and known in memory from then on.
 */
export class Attachments {
  private readonly system: System;
  private readonly root: string;
  private readonly byFile = new Map<string, VolumeAttachment>();
  private readonly byVolume = new Map<string, Set<VolumeAttachment>>();
  private readonly byTarget = new Map<string, Set<VolumeAttachment>>();
  /** Records that could not be read, by path: each may be the one that protects a volume. */
  private readonly unreadable = new Map<string, Fault>();
  private readonly lastOfPod = new Map<string, Promise<unknown>>();

  private constructor(system: System, root: string) {
    this.system = system;
    this.root = root;
  }

  /** Reads them all, and removes what a server that was killed was writing and directories that it left empty. */
  static async open(system: System, runDirectory: string): Promise<Attachments> {
    const { volumes } = runPaths(runDirectory);
    const attachments = new Attachments(system, volumes);
    await Promise.all((await system.list(volumes)).map((podUid) => attachments.load(`${volumes}/${podUid}`)));
    return attachments;
  }

  all(): readonly VolumeAttachment[] {
    return [...this.byFile.values()];
  }

  /** Names of files that belong to the target paths of all records, also of those that cannot be read. */
  targetKeys(): ReadonlySet<string> {
    return new Set([...this.byFile.keys(), ...this.unreadable.keys()].map((path) => basename(path, SUFFIX)));
  }

  /** Throws why if a record cannot be read: who asks wants to know that there are no others. */
  async ofVolume(volumeId: string): Promise<readonly VolumeAttachment[]> {
    await this.requireReadable();
    return this.knownOf(volumeId);
  }

  /** Those of a volume that can be read. */
  knownOf(volumeId: string): readonly VolumeAttachment[] {
    return [...(this.byVolume.get(volumeId) ?? [])];
  }

  /** Throws why if there is a record that cannot be read. */
  async requireReadable(): Promise<void> {
    for (const path of this.unreadable.keys()) await this.retry(path);
  }

  /** Of one target path. Looks at no other record, so that one which cannot be read is in nobody else's way. */
  async at(targetPath: string): Promise<readonly VolumeAttachment[]> {
    const name = `/${targetKey(targetPath)}${SUFFIX}`;
    for (const path of this.unreadable.keys()) if (path.endsWith(name)) await this.retry(path);
    return [...(this.byTarget.get(targetPath) ?? [])];
  }

  async save(attachment: VolumeAttachment): Promise<void> {
    await this.alone(attachment, async () => {
      makeDirectory(this.directoryOf(attachment));
      const path = this.pathOf(attachment);
      await this.file(path).save(attachment);
      this.learn(path, attachment);
    });
  }

  /** Also the pod's directory, when this was the last of its records. */
  async remove(place: Place): Promise<void> {
    await this.alone(place, async () => {
      const path = this.pathOf(place);
      await this.file(path).remove();
      this.forget(path);
      removeIfEmpty(this.directoryOf(place));
    });
  }

  private async load(directory: string): Promise<void> {
    await ensureNoTemporaryFiles(this.system, directory);
    for (const name of await this.system.list(directory)) {
      if (!name.endsWith(SUFFIX)) continue;
      const path = `${directory}/${name}`;
      await this.read(path).catch((fault: Fault) => this.unreadable.set(path, fault));
    }
    removeIfEmpty(directory);
  }

  /** A person may have removed or mended it meanwhile. */
  private async retry(path: string): Promise<void> {
    await this.read(path);
    this.unreadable.delete(path);
  }

  private async read(path: string): Promise<void> {
    const attachment = await this.file(path).load();
    if (attachment !== undefined) this.learn(path, attachment);
  }

  private learn(path: string, attachment: VolumeAttachment): void {
    this.forget(path);
    this.byFile.set(path, attachment);
    add(this.byVolume, attachment.volumeId, attachment);
    add(this.byTarget, attachment.targetPath, attachment);
  }

  private forget(path: string): void {
    const known = this.byFile.get(path);
    if (known === undefined) return;
    this.byFile.delete(path);
    drop(this.byVolume, known.volumeId, known);
    drop(this.byTarget, known.targetPath, known);
  }

  private directoryOf({ podUid }: Place): string {
    return `${this.root}/${podUid}`;
  }

  private pathOf(place: Place): string {
    return `${this.directoryOf(place)}/${targetKey(place.targetPath)}${SUFFIX}`;
  }

  private file(path: string): RecordFile<VolumeAttachment> {
    return recordFile(this.system, volumeAttachmentRecord, path, { durable: false });
  }

  /** Two volumes of one pod are two verbs at once: none may remove the directory that the other writes to. */
  private alone<T>({ podUid }: Place, body: () => Promise<T>): Promise<T> {
    const result = (this.lastOfPod.get(podUid) ?? Promise.resolve()).then(body);
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    this.lastOfPod.set(podUid, settled);
    void settled.then(() => {
      if (this.lastOfPod.get(podUid) === settled) this.lastOfPod.delete(podUid);
    });
    return result;
  }
}

/** Names files that belong to one target path. */
export function targetKey(targetPath: string): string {
  return createHash('sha256').update(targetPath).digest('hex').slice(0, 32);
}

function add<T>(index: Map<string, Set<T>>, key: string, value: T): void {
  const values = index.get(key);
  if (values === undefined) index.set(key, new Set([value]));
  else values.add(value);
}

function drop<T>(index: Map<string, Set<T>>, key: string, value: T): void {
  const values = index.get(key);
  values?.delete(value);
  if (values?.size === 0) index.delete(key);
}

/** At once, as the next: on the tmpfs of /run nobody waits for a disk. */
function makeDirectory(directory: string): void {
  try {
    if (mkdirSync(directory, { recursive: true, mode: 0o700 }) !== undefined) failpoint('directory.made');
  } catch (cause) {
    throw new Fault('io', `could not make the directory ${directory}`, { fields: { path: directory }, cause });
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (cause) {
    if (['ENOENT', 'ENOTEMPTY', 'ENOTDIR'].includes(errorCode(cause) ?? '')) return;
    throw new Fault('io', `could not remove the directory ${directory}`, { fields: { path: directory }, cause });
  }
  failpoint('directory.removed');
}
