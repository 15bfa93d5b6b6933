import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CsiServer } from '../../deploy/demo/csi-server.ts';
import { SNAPSHOT_FILES, type VolumeSnapshot, volumeSnapshotRecord } from '../../proto/volume-snapshot.ts';
import { type Claim, type ClaimRequest, createClaim } from './claims.ts';
import { type CsiClient, connectCsi } from './csi-client.ts';
import { createLab, type Lab } from './lab.ts';
import { mountXfsPool } from './xfs-pool.ts';

/** A lab with the CSI driver, and with claims that a test makes as it needs them. */
export interface ClaimsLab extends Lab {
  /** The one that runs; a test that ends it puts the next one here. */
  driver: CsiServer;
  /** Of whichever driver runs. */
  readonly client: CsiClient;
  claim(request: ClaimRequest): Promise<Claim>;
  /** All that were made, with whatever they are published as. */
  removeClaims(): Promise<void>;
  /** The path, for this process, of a part of a snapshot. */
  snapshotFile(snapshotId: string, file: keyof typeof SNAPSHOT_FILES): string;
  snapshotRecord(snapshotId: string): Promise<VolumeSnapshot>;
}

/** `reflinks`: a pool that copies in an instant, which snapshots and clones want. */
export async function createClaimsLab({ reflinks } = { reflinks: false }): Promise<ClaimsLab> {
  const lab = await createLab();
  if (reflinks) await mountXfsPool({ ...lab, pool: lab.poolDirectory });
  const driver = await lab.csi();
  const client = connectCsi(`${lab.root}/run/csi.sock`);
  const claims: Claim[] = [];
  const snapshotFile: ClaimsLab['snapshotFile'] = (snapshotId, file) =>
    join(`${lab.root}${lab.poolDirectory}`, 'snapshots', snapshotId, SNAPSHOT_FILES[file]);
  const claimsLab: ClaimsLab = {
    ...lab,
    driver,
    client,
    async claim(request) {
      const claim = await createClaim(lab, client, request);
      claims.push(claim);
      return claim;
    },
    async removeClaims() {
      for (const claim of claims.splice(0)) await claim.remove();
    },
    snapshotFile,
    snapshotRecord: async (snapshotId) =>
      volumeSnapshotRecord.decode(await readFile(snapshotFile(snapshotId, 'record'), 'utf8'), snapshotId),
    async close() {
      client.close();
      await claimsLab.driver.stop();
      await lab.close();
    },
  };
  return claimsLab;
}
