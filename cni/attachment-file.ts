import { describeError, Fault } from '../proto/fault.ts';
import { type NetworkAttachment, networkAttachmentKey, networkAttachmentRecord } from '../proto/network-attachment.ts';
import { runPaths } from '../proto/paths.ts';
import type { Log } from '../runtime/system/log.ts';
import { isAbsence } from '../runtime/system/native/errors.ts';
import type { Files } from '../runtime/system/port.ts';
import { type RecordFile, recordFile } from '../runtime/system/record-file.ts';
import { ensureNoTemporaryFiles } from '../runtime/system/temporary-files.ts';
import type { NetworkConfig } from './network-config.ts';
import type { Attachment } from './variables.ts';

const DIRECTORY_MODE = 0o700;

/**
 * The record of an attachment. The directory is made when it is first written to. Verbs of one attachment come one
 * after another, so what a killed one was writing is nobody's when the record is removed; until then it does no harm,
 * and to look for it would take ADD longer with every pod of the node.
 */
export function attachmentFile(
  files: Files,
  config: NetworkConfig,
  attachment: Attachment,
): RecordFile<NetworkAttachment> {
  const { networks } = runPaths(config.runDirectory);
  const key = networkAttachmentKey({ network: config.network, ...attachment });
  const name = `${key}.json`;
  const file = recordFile(files, networkAttachmentRecord, `${networks}/${name}`, { durable: false });
  return {
    ...file,
    async save(record) {
      try {
        await file.save(record);
      } catch (error) {
        if (!isAbsence(error)) throw error;
        await files.makeDirectory(networks, DIRECTORY_MODE);
        await file.save(record);
      }
    },
    async remove() {
      await ensureNoTemporaryFiles(files, networks, name);
      return file.remove();
    },
  };
}

/** The record; undefined if there is none or it cannot be read: the kernel's own marks must do then. */
export async function loadIfReadable<T>(file: RecordFile<T>, log: Log): Promise<T | undefined> {
  try {
    return await file.load();
  } catch (error) {
    if (!(error instanceof Fault) || (error.code !== 'malformed' && error.code !== 'unsupported')) throw error;
    log.warn('record cannot be read, going on without it', { path: file.path, error: describeError(error) });
    return undefined;
  }
}
