import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePodUid, parseSandboxId, parseVolumeId } from '../../proto/ids.ts';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { type ProcessIdentity, sandboxRecord } from '../../proto/sandbox-record.ts';
import { volumeAttachmentRecord } from '../../proto/volume-attachment.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { parseProcess } from '../../runtime/system/process-identity.ts';
import { type CniNode, type CniPod, createCniNode, recordedTap } from '../support/cni-node.ts';

interface Finding {
  readonly area: string;
  readonly status: string;
  readonly what: string;
  readonly mend?: string;
  readonly proof?: string;
}

const programs = findPrograms();
const NOBODY: ProcessIdentity = { pid: 4_000_000, startTicks: 1 };
let node: CniNode;
let pool: string;
beforeAll(async () => {
  node = await createCniNode();
  pool = join(node.world.scratch, 'pool');
  await mkdir(join(pool, 'incoming'), { recursive: true });
});
afterAll(() => node.close());

/** As this process sees a path of the world. */
const outside = (path: string): string => `${node.world.root}${path}`;
const run = () => runPaths(node.world.runDirectory);

async function doctor(...flags: string[]) {
  const [file = '', ...prefix] = node.world.prefix;
  const args = [...prefix, process.execPath, programs.berth, 'doctor', '--json', ...flags];
  const { exitCode, stdout, stderr } = await execa(file, args, { reject: false });
  expect(stderr).toBe('');
  const findings = JSON.parse(stdout) as readonly Finding[];
  return { exitCode, findings, orphans: findings.filter(({ status }) => status === 'orphan') };
}

async function plant(path: string, content: string): Promise<string> {
  await mkdir(dirname(outside(path)), { recursive: true });
  await writeFile(outside(path), content);
  return path;
}

async function plantPod(name: string, vmm: ProcessIdentity): Promise<void> {
  const record = sandboxRecord.encode({
    id: parseSandboxId(name),
    podUid: parsePodUid(name),
    state: 'running',
    bundle: '/bundle',
    createdAtMs: Date.now(),
    shim: NOBODY,
    vmm,
    choices: [],
    volumes: [],
    interfaces: [],
    containers: [],
  });
  await plant(podPaths(run(), name).record, record);
  await plant(podPaths(run(), name).console, 'last words');
}

/** What writes the log of a pod's VMM, whatever it is called. */
async function startVmm(name: string): Promise<ProcessIdentity> {
  const { directory, vmmLog } = podPaths(run(), name);
  await mkdir(outside(directory), { recursive: true });
  const pid = Number(await node.run('sh', '-c', `sleep 1000 </dev/null >${vmmLog} 2>&1 & echo $!`));
  const found = parseProcess(pid, await readFile(outside(`/proc/${pid}/stat`), 'utf8'));
  if (found === undefined) throw new Error(`process ${pid} has ended`);
  return found;
}

const isAlive = ({ pid }: ProcessIdentity): Promise<boolean> =>
  stat(outside(`/proc/${pid}`)).then(
    () => true,
    () => false,
  );

async function addWired(
  name: string,
  config: Readonly<Record<string, unknown>> = {},
): Promise<CniPod & { readonly tap: string }> {
  const pod = await node.addPod(name);
  expect(await pod.berth('ADD', { config })).toMatchObject({ exitCode: 0 });
  return { ...pod, tap: recordedTap(await pod.record()).name };
}

async function plantTemporary(name: string, ageMs: number): Promise<string> {
  const path = await plant(`${run().networks}/${name}.json.0123456789ab.tmp`, '{"v": 1');
  const written = new Date(Date.now() - ageMs);
  await utimes(outside(path), written, written);
  return path;
}

describe('berth doctor', () => {
  it('finds this host well, by trying', async () => {
    const { exitCode, findings } = await doctor();
    expect(findings.filter(({ status }) => status === 'missing' || status === 'orphan')).toEqual([]);
    expect(exitCode).toBe(0);
    const kernel = findings.filter(({ area }) => area === 'kernel').map(({ what }) => what);
    expect(kernel).toContain('redirection of packets (u32, bpf or matchall with mirred)');
    expect(findings).toContainEqual(expect.objectContaining({ what: expect.stringMatching(/^QEMU \d+\.\d+/) }));
  });

  it('says what is missing, and what brings it', async () => {
    const nothing = join(node.world.scratch, 'nothing');
    const { exitCode, findings } = await doctor(
      '--qemu',
      '/nowhere/qemu',
      '--guest',
      nothing,
      '--pool',
      `p=image-file:${nothing}`,
    );
    expect(exitCode).toBe(1);
    const missing = findings.filter(({ status }) => status === 'missing');
    expect(missing).toEqual([
      expect.objectContaining({ area: 'guest', mend: 'npm run build' }),
      expect.objectContaining({ area: 'vmm', mend: expect.stringContaining('qemu-system-x86') }),
      expect.objectContaining({ area: 'pool', what: expect.stringContaining(nothing) }),
    ]);
  });

  it('finds what the plugin has against a network, and goes on where a list cannot be read', async () => {
    const net = (name: string): string => `/run/net.d/${name}.conflist`;
    const list = (name: string, cniVersion: string, entry: object) =>
      plant(net(name), JSON.stringify({ cniVersion, name, plugins: [{ type: 'ptp' }, { type: 'berth', ...entry }] }));
    await list('1-right', '0.4.0', { queues: 2, mode: 'macvtap', capabilities: { bandwidth: true } });
    await list('2-misspelt', '1.1.0', { Queues: 2 });
    await list('3-apart', '1.0.0', { macvtapMode: 'vepa' });
    await list('4-old', '0.2.0', {});
    await plant(net('5-half'), '{');
    await mkdir(outside(net('6-directory')));
    const { exitCode, findings } = await doctor('--cni-conf-dir', '/run/net.d');
    expect(exitCode).toBe(1);
    const about = findings.filter(({ what }) => what.includes('/run/net.d/'));
    expect(
      about.map(({ status, what }) => [status, what.replace(/^.* ADD refuses every pod: |: Unexpected.*/, '')]),
    ).toEqual([
      ['ok', `network 1-right (${net('1-right')}) chains the plugin last`],
      ['missing', 'network configuration: Queues: unknown key; it is spelt queues'],
      ['missing', expect.stringContaining('macvtapMode: "vepa" is not supported with mode "tc"')],
      ['missing', 'cniVersion is 0.2.0, and the plugin knows 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0'],
      ['note', expect.stringContaining(`${net('5-half')} cannot be read`)],
      ['note', expect.stringContaining(`${net('6-directory')} cannot be read`)],
    ]);
    expect(about.slice(1).map(({ mend }) => mend ?? '')).toEqual(
      about.slice(1).map(() => expect.stringMatching(/^correct /)),
    );
  });

  it('finds what was left behind, clears what is safe, and leaves the rest', async () => {
    const well = await addWired('well');
    await plantPod('dead', NOBODY);
    const unserved = await startVmm('unserved');
    await plantPod('unserved', unserved);
    const stray = await startVmm('stray');
    await rm(outside(podPaths(run(), 'stray').directory), { recursive: true });

    const tapless = await addWired('tapless');
    await tapless.tools.ip('link', 'delete', tapless.tap);
    const unrecorded = await addWired('unrecorded');
    await rm(outside(`${run().networks}/net:unrecorded:eth0.json`));

    // Last: the next namespace may get its inode, and then ADD clears the record of the former one.
    await node.removeNetns(await addWired('gone', { kataDanDir: '/run/dans' }));
    expect(await node.run('ls', '/run/dans')).toBe('gone.json');

    const volumeId = parseVolumeId('pool.0123456789ab.data');
    const publication = volumeAttachmentRecord.encode({
      volumeId,
      podUid: parsePodUid('u1'),
      targetPath: '/run/kubelet/unmounted',
      volumeDirectory: pool,
      readOnly: false,
      volumeMode: 'Filesystem',
      accessMode: 'SINGLE_NODE_WRITER',
      mountFlags: [],
      publishedAtMs: Date.now(),
    });
    const publicationPath = await plant(`${run().volumes}/u1/0123.json`, publication);
    await node.run('mkdir', '/run/kubelet/', '/run/kubelet/unrecorded');
    await node.run('mount', '-t', 'tmpfs', `berth:${volumeId}`, '/run/kubelet/unrecorded');
    await mkdir(join(pool, 'incoming', 'half'));
    const stale = await plantTemporary('stale', 120_000);
    const young = await plantTemporary('young', 0);

    const flags = ['--pool', `main=image-file:${pool}`];
    const found = await doctor(...flags);
    expect(found.exitCode).toBe(1);
    const safe = [
      ['pod dead has no shim', 'berth stop dead'],
      ['net:gone:eth0: its namespace', 'CNI DEL of container gone'],
      [`${unrecorded.tap} (tun) in ${unrecorded.netns} is of net:unrecorded:eth0`, 'CNI DEL of container unrecorded'],
      [stale, `rm ${stale}`],
    ] as const;
    const unsafe = [
      ['pod unserved has no shim any more, but its VM runs', 'berth stop unserved'],
      [`process ${stray.pid} is a VMM of pod stray`, `kill ${stray.pid}`],
      ['net:tapless:eth0: its TAP', 'CNI DEL of container tapless'],
      ['/run/kubelet/unmounted, but its placeholder is not there', 'NodeUnpublishVolume'],
      ['/run/kubelet/unrecorded stands for', 'NodeUnpublishVolume'],
      ['incoming/half was left by an interrupted CreateVolume', 'restart berth-csi'],
    ] as const;
    const expected = ([what, mend]: readonly [string, string]) =>
      expect.objectContaining({ what: expect.stringContaining(what), mend: expect.stringContaining(mend) });
    expect(found.orphans).toHaveLength(safe.length + unsafe.length);
    expect(found.orphans).toEqual(expect.arrayContaining([...safe, ...unsafe].map(expected)));
    expect(found.orphans.filter(({ proof }) => proof !== undefined)).toHaveLength(safe.length);

    const repaired = await doctor('--repair', ...flags);
    expect(repaired.exitCode).toBe(1);
    expect(repaired.findings.filter(({ status }) => status === 'repaired')).toHaveLength(safe.length);

    const after = await doctor(...flags);
    expect(after.orphans).toHaveLength(unsafe.length);
    expect(after.orphans).toEqual(expect.arrayContaining(unsafe.map(expected)));

    expect(await node.records()).toEqual(['net:tapless:eth0.json', 'net:well:eth0.json', young.split('/').at(-1)]);
    expect(await unrecorded.remains()).toEqual([]);
    expect(await node.run('ls', '/run/dans')).toBe('');
    expect(await well.remains()).toEqual(expect.arrayContaining([`link ${well.tap}`]));
    expect(await Promise.all([unserved, stray].map(isAlive))).toEqual([true, true]);
    expect(await readFile(outside(publicationPath), 'utf8')).toBe(publication);
    await stat(join(pool, 'incoming', 'half'));
  });
});
