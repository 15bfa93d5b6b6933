import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { describeError } from '../../../proto/fault.ts';
import { guestManifestRecord } from '../../../proto/guest-manifest.ts';
import { errorCode } from '../../system/node/errno.ts';
import { createNodeSystem } from '../../system/node/system.ts';
import { recordFile } from '../../system/record-file.ts';
import type { Finding } from './finding.ts';

const MEND = 'npm run build';

/** Every file that a pod VM boots, byte by byte against the manifest. */
export async function examineGuestImage(directory: string): Promise<Finding[]> {
  const path = `${directory}/manifest.json`;
  const missing = (what: string): Finding => ({ area: 'guest', status: 'missing', what, mend: MEND });
  try {
    const manifest = await recordFile(createNodeSystem(), guestManifestRecord, path, { durable: false }).load();
    if (manifest === undefined) return [missing(`there is no guest image: no ${path}`)];
    const files = [manifest.kernel, manifest.initrd, manifest.root];
    const problems = await Promise.all(files.map(({ file, sha256 }) => findProblem(`${directory}/${file}`, sha256)));
    const found = problems.filter((problem) => problem !== undefined);
    if (found.length > 0) return found.map(missing);
    const what = `image of kernel ${manifest.kernelVersion}, whole, in ${directory}`;
    return [{ area: 'guest', status: 'ok', what }];
  } catch (error) {
    return [missing(describeError(error))];
  }
}

async function findProblem(path: string, sha256: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? `there is no ${path}` : `${path} cannot be read: ${describeError(error)}`;
  }
  const found = hash.digest('hex');
  return found === sha256 ? undefined : `${path} is not what was built: its sha256 is ${found}`;
}
