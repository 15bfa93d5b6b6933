import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { createTestShims } from '../../csi/pod-shims.fixture.ts';
import { parsePodUid, parseSandboxId } from '../../proto/ids.ts';
import type { ShimMethods } from '../../proto/shim.ts';
import { volumeLeaseRecord } from '../../proto/volume-lease.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import type { Handlers } from '../../runtime/system/rpc/ttrpc-server.ts';
import type { CsiNode } from './csi-node.ts';

/** What a CSI driver sees of a pod's VM: the leases of its volumes, held and named, and a shim that answers. */
export interface StandInVm {
  /** What was asked of its guest, in order: `freeze <volume id> ...`, `thaw <volume id> ...`. */
  readonly events: readonly string[];
  end(): Promise<void>;
}

export async function startStandInVm(
  node: CsiNode,
  sandbox: string,
  volumeIds: readonly string[],
  changes: Partial<Handlers<ShimMethods>> = {},
): Promise<StandInVm> {
  const events: string[] = [];
  const holders = await Promise.all(volumeIds.map((volumeId) => holdLease(node, sandbox, volumeId)));
  const shims = await createTestShims(node.runDirectory);
  await shims.start(sandbox, {
    measureVolume: async () => ({ capacityBytes: 1 << 20 }),
    freezeVolumes: async (request) => {
      events.push(['freeze', ...request.volumeIds].join(' '));
      return {};
    },
    thawVolumes: async (request) => {
      events.push(['thaw', ...request.volumeIds].join(' '));
      return { wasHeld: true };
    },
    ...changes,
  });
  return {
    events,
    async end() {
      for (const release of holders) await release();
      await shims.close();
    },
  };
}

async function holdLease(node: CsiNode, sandbox: string, volumeId: string): Promise<() => Promise<void>> {
  const path = `${node.root}${node.pool}/volumes/${volumeId}/${VOLUME_FILES.lease}`;
  const ids = { podUid: parsePodUid(`pod-of-${sandbox}`), sandboxId: parseSandboxId(sandbox) };
  await writeFile(path, volumeLeaseRecord.encode({ ...ids, node: 'node-1', takenAtMs: 1 }));
  const child = execa('flock', ['--nonblock', path, 'sh', '-c', 'echo held; exec cat'], {
    reject: false,
    buffer: false,
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  if (!said.toString().startsWith('held')) throw new Error(`somebody has the lease of ${volumeId}`);
  return async () => {
    child.stdin.end();
    await child;
  };
}
