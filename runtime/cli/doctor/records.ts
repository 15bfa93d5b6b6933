import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from './finding.ts';
import { findHolders } from './processes.ts';

/** A record is written in one go: from open to rename takes no longer than the disk. */
const STALE_AFTER_MS = 60_000;
/** `<record>.<random>.tmp`: see System.writeFile. */
const TEMPORARY = /\.json\.[0-9a-f]{12}\.tmp$/;

/** Records that were being written when their writer was killed: nobody reads them, and nobody removes them. */
export async function examineRecords(runDirectory: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const path of await listTemporaries(runDirectory)) {
    const ageMs = Date.now() - (await stat(path).then(({ mtimeMs }) => mtimeMs, Date.now));
    if (ageMs < STALE_AFTER_MS || (await findHolders(path)).length > 0) continue;
    findings.push({
      area: 'records',
      status: 'orphan',
      what: `${path} was never finished`,
      mend: `rm ${path}`,
      repair: {
        proof: `it is ${Math.round(ageMs / 1000)} s old, no process has it open, and a name of its own: nobody will rename it`,
        apply: () => unlink(path),
      },
    });
  }
  if (findings.length > 0) return findings;
  return [{ area: 'records', status: 'ok', what: `nothing half-written below ${runDirectory}` }];
}

async function listTemporaries(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  return names.filter((name) => TEMPORARY.test(name)).map((name) => join(directory, name));
}
