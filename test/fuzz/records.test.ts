import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guestManifestRecord } from '../../proto/guest-manifest.ts';
import { networkAttachmentRecord } from '../../proto/network-attachment.ts';
import type { RecordCodec } from '../../proto/record.ts';
import { sandboxRecord } from '../../proto/sandbox-record.ts';
import { volumeAttachmentRecord } from '../../proto/volume-attachment.ts';
import { volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { volumeLeaseRecord, workLeaseRecord } from '../../proto/volume-lease.ts';
import { volumeSnapshotRecord } from '../../proto/volume-snapshot.ts';
import { volumeSpecRecord } from '../../proto/volume-spec.ts';
import { network, volume } from '../../runtime/plan/plan.fixture.ts';
import { brokenJson, orFault, runs } from '../support/fuzz.ts';

const { spec, attachment, filesystem } = volume('v');
const process = { pid: 7, startTicks: 9 };
const file = { file: 'root-1', sha256: 'abc' };

/** A codec, and values that use all of its keys, as the file has them. */
function codecCase<T>(codec: RecordCodec<T>, ...values: readonly object[]) {
  const samples = values.map((value) => ({ v: codec.version, ...value }));
  return { kind: codec.kind, samples, rewrite: (text: string) => codec.encode(codec.decode(text, 'file')) };
}

const CASES = [
  codecCase(volumeSpecRecord, { ...spec, source: { kind: 'snapshot', snapshotId: 'a.b.s_c' } }),
  codecCase(volumeFilesystemRecord, filesystem, { state: 'raw', uuid: 'u', formattedAtMs: 1, problem: 'p' }),
  codecCase(volumeSnapshotRecord, {
    ...{ snapshotId: 'a.b.s_c', name: 'c', sourceVolumeId: 'a.b.c', sizeBytes: 1, fsType: 'xfs', createdAtMs: 1 },
    ...{ consistency: 'frozen', remark: '', groupId: 'a.b.g_c' },
  }),
  codecCase(workLeaseRecord, { purpose: 'it is being copied', takenAtMs: 1 }),
  codecCase(volumeLeaseRecord, { podUid: 'pod', sandboxId: 'box', node: 'n', takenAtMs: 1 }),
  codecCase(volumeAttachmentRecord, {
    ...attachment,
    mountFlags: ['noatime'],
    device: { major: 7, minor: 1 },
    fsGroup: 1,
  }),
  codecCase(
    networkAttachmentRecord,
    network('eth0', {
      nic: {
        mac: '02:00:00:00:00:01',
        mtu: 1500,
        addresses: [{ address: '10.0.0.2/32', peer: '10.0.0.1', broadcast: '10.0.0.255', scope: 0 }],
        routes: [
          {
            ...{ family: 4, destination: '0.0.0.0/0', gateway: '10.0.0.1', source: '10.0.0.2', scope: 0, type: 1 },
            ...{ protocol: 3, table: 254, metric: 1, mtu: 1400, onlink: true },
          },
        ],
        neighbours: [{ address: '10.0.0.1', mac: '02:00:00:00:00:02' }],
        dns: { nameservers: ['10.0.0.53'], search: ['cluster.local'], options: ['ndots:5'] },
      },
    }),
  ),
  codecCase(sandboxRecord, {
    ...{ id: 'box', podUid: 'pod', state: 'running', bundle: '/b', netnsPath: '/n', createdAtMs: 1, shim: process },
    ...{ vmm: process, choices: [{ source: 's', chosen: 'c', reason: 'r' }], failure: 'f' },
    volumes: [
      {
        ...{ volumeId: 'a.b.c', containerId: 'main', containerPath: '/data', serial: 's', volumeMode: 'Filesystem' },
        readOnly: false,
      },
    ],
    containers: [{ id: 'main', bundle: '/b', stdioId: 1, stdin: '', stdout: '/o', stderr: '/e', isStartAsked: true }],
    interfaces: [{ name: 'eth0', addresses: ['10.0.0.2/24'] }],
  }),
  codecCase(guestManifestRecord, { kernelVersion: '6', kernel: file, initrd: file, root: file, packages: ['a=1'] }),
];

describe.each(CASES)('$kind', ({ samples, rewrite }) => {
  it('takes its samples', () => {
    for (const sample of samples) expect(JSON.parse(rewrite(JSON.stringify(sample)))).toEqual(sample);
  });

  it('is refused, or read for what it is: nothing is lost, nothing else is thrown', () => {
    fc.assert(
      fc.property(brokenJson(...samples), (text) => {
        const written = orFault(['malformed', 'unsupported'], () => rewrite(text));
        if (written !== undefined) expect(sorted(JSON.parse(written))).toBe(sorted(JSON.parse(text)));
      }),
      runs(1500),
    );
  });
});

/** The same for any order of keys; -0 is 0 in JSON. */
function sorted(json: unknown): string {
  return JSON.stringify(json, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
      : value,
  );
}
