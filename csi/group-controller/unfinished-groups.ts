import { dirname } from 'node:path';
import * as v from 'valibot';
import { Fault } from '../../proto/fault.ts';
import { parseSnapshotId, type SnapshotId } from '../../proto/ids.ts';
import { defineRecord, filled, id } from '../../proto/record.ts';
import { syncDirectory } from '../../runtime/system/node/system.ts';
import type { Files } from '../../runtime/system/port.ts';
import { type RecordFile, recordFile } from '../../runtime/system/record-file.ts';
import { ensureNoTemporaryFiles } from '../../runtime/system/temporary-files.ts';

/**
 * `groups/<group id>.json` in the state directory, durable: a group snapshot that is half made or half deleted, of which
 * nothing may stay. Of a whole group there is no record but its members' own, which name it: a state directory that is
 * lost costs no snapshot.
 */
const unfinishedGroupRecord = defineRecord('unfinished group snapshot', 1, {
  groupId: filled,
  snapshotIds: v.array(id(parseSnapshotId)),
});

const SUFFIX = '.json';

export class UnfinishedGroups {
  private readonly files: Files;
  private readonly directory: string;
  /** Members that are there or not; a Fault where the record could not be read. */
  private readonly groups = new Map<string, readonly SnapshotId[] | Fault>();

  private constructor(files: Files, directory: string) {
    this.files = files;
    this.directory = directory;
  }

  /** `directory` belongs to this server alone. */
  static async open(files: Files, directory: string): Promise<UnfinishedGroups> {
    const opened = new UnfinishedGroups(files, directory);
    await files.makeDirectory(directory, 0o700);
    await syncDirectory(dirname(directory));
    await ensureNoTemporaryFiles(files, directory);
    for (const name of await files.list(directory)) {
      if (name.endsWith(SUFFIX)) await opened.load(name.slice(0, -SUFFIX.length));
    }
    return opened;
  }

  has(groupId: string): boolean {
    return this.groups.has(groupId);
  }

  ids(): string[] {
    return [...this.groups.keys()];
  }

  /** Throws why, if the record could not be read; empty if there is no such group. */
  membersOf(groupId: string): readonly SnapshotId[] {
    const members = this.groups.get(groupId) ?? [];
    if (members instanceof Fault) throw members;
    return members;
  }

  /** From here on nobody sees members of the group, and a start that finds it so removes them. */
  async begin(groupId: string, snapshotIds: readonly SnapshotId[]): Promise<void> {
    this.groups.set(groupId, snapshotIds);
    await this.fileOf(groupId).save({ groupId, snapshotIds: [...snapshotIds] });
  }

  /** The group is whole, or gone. */
  async end(groupId: string): Promise<void> {
    await this.fileOf(groupId).remove();
    this.groups.delete(groupId);
  }

  private async load(groupId: string): Promise<void> {
    try {
      const found = await this.fileOf(groupId).load();
      this.groups.set(groupId, found?.snapshotIds ?? []);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.groups.set(groupId, error);
    }
  }

  private fileOf(groupId: string): RecordFile<{ groupId: string; snapshotIds: SnapshotId[] }> {
    return recordFile(this.files, unfinishedGroupRecord, `${this.directory}/${groupId}${SUFFIX}`, { durable: true });
  }
}
