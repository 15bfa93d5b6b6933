import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DEFAULT_RUN_DIRECTORY } from '../../proto/paths.ts';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import type { Programs } from '../../runtime/cli/programs.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { writeBundle } from './bundle.ts';
import { checkEqual } from './check.ts';
import { startCsiServer } from './csi-server.ts';
import type { Journal } from './journal.ts';
import { inNetns, PEER } from './netns.ts';
import { createNodeNetwork } from './network.ts';
import { type PodProcess, startPod } from './pod-process.ts';
import { findRemains } from './remains.ts';
import { FETCHER, READER, SHA256, WRITER } from './scripts.ts';
import { createDemoVolume } from './volume.ts';

const GIB = 1 << 30;
const CNI_PLUGINS = '/usr/lib/cni';

/** The six steps, in a world of their own. `scratch` is an empty directory on a real file system. */
export async function runMainJob(programs: Programs, scratch: string, journal: Journal): Promise<void> {
  const pool = { name: 'scratch', directory: join(scratch, 'pool') };
  await mkdir(pool.directory);
  const runPod = async (name: string, script: string, ...flags: string[]): Promise<PodProcess> => {
    const bundle = await writeBundle(join(scratch, 'bundles', name), script);
    return startPod(name, [process.execPath, programs.berth, 'run', bundle, '--id', name, ...flags]);
  };

  const { csi, volume, target } = await journal.step('CSI: create, stage, publish a volume', async (saw) => {
    const csi = await startCsiServer({
      command: [process.execPath, programs.csi],
      socket: '/run/csi.sock',
      stateDirectory: '/run/csi',
      pool,
      protoPath: programs.csiProto,
    });
    const request = { name: 'data', pool: pool.name, sizeBytes: GIB, kubeletDirectory: '/run/kubelet', root: '' };
    const volume = await createDemoVolume(csi.client, request);
    const target = await volume.publish('pod1');
    saw(`volume ${volume.id}, blank`);
    return { csi, volume, target };
  });
  const filesystemPath = join(pool.directory, 'volumes', volume.id, VOLUME_FILES.filesystem);

  const { network, pod1, pod2 } = await journal.step('CNI: two pods and a peer, ptp and berth', async (saw) => {
    const network = await createNodeNetwork('ptp', [CNI_PLUGINS, programs.cniDirectory]);
    const pod1 = await network.addPod('pod1');
    const pod2 = await network.addPod('pod2');
    saw(`pod 1 is ${pod1.address}, pod 2 is ${pod2.address}`);
    return { network, pod1, pod2 };
  });

  const { writer, fetcher, sum } = await journal.step('pod 1 boots, writes, serves; pod 2 boots', async (saw) => {
    const writer = await runPod('pod1', WRITER, '--volume', `${target}:/data`, '--netns', pod1.netns);
    const fetcher = await runPod('pod2', FETCHER(pod1.address), '--netns', pod2.netns);
    saw(`kernel ${await writer.line('kernel')}`);
    saw(`disk ${await writer.line('disk')}`);
    const sum = await writer.line('serving');
    saw(`wrote ${sum}`);
    return { writer, fetcher, sum };
  });
  const formatted = await readFilesystem(filesystemPath);
  checkEqual('state of the volume', formatted.state, 'formatted');

  await journal.step('peer and pod 2 fetch from pod 1', async (saw) => {
    const peerSum = await fetchSum(`http://${pod1.address}/random`);
    saw(`peer fetched ${peerSum}`);
    checkEqual('checksum in the peer', peerSum, sum);
    const podSum = await fetcher.line('fetched');
    saw(`pod 2 fetched ${podSum}`);
    checkEqual('checksum in pod 2', podSum, sum);
    saw(`route ${await fetcher.line('route')}`);
  });

  const target3 = await journal.step('both pods end; pod 3 finds the data', async (saw) => {
    checkEqual('exit status of pod 2', await fetcher.exitCode, 0);
    checkEqual('exit status of pod 1', await writer.end(), 0);
    await volume.unpublish(target);
    const target3 = await volume.publish('pod3');
    const reader = await runPod('pod3', READER, '--volume', `${target3}:/data:ro`);
    const found = await reader.line('found');
    saw(`disk ${await reader.line('disk')}`);
    saw(`found ${found}`);
    checkEqual('checksum in pod 3', found, sum);
    checkEqual('exit status of pod 3', await reader.exitCode, 0);
    checkEqual('file system of the volume', await readFilesystem(filesystemPath), formatted);
    saw(`formatted once, uuid ${formatted.uuid}`);
    return target3;
  });

  await journal.step('everything is deleted', async (saw) => {
    const links = [...(await network.deletePod('pod1')), ...(await network.deletePod('pod2'))];
    await network.close();
    await volume.unpublish(target3);
    await volume.unstage();
    await volume.delete();
    await csi.stop();
    const places = { root: '', runDirectory: DEFAULT_RUN_DIRECTORY, poolDirectory: pool.directory };
    checkEqual('what is left', [...links, ...(await findRemains(places))], []);
    saw('no process, link, mount, record or volume of berth is left');
  });
}

async function readFilesystem(path: string): Promise<VolumeFilesystem> {
  return volumeFilesystemRecord.decode(await readFile(path, 'utf8'), path);
}

/** The file's checksum as a client in the peer's namespace gets it. */
async function fetchSum(url: string): Promise<string> {
  const [file = '', ...args] = inNetns(PEER);
  const script = `busybox wget -q -O - "$1" | ${SHA256}`;
  return (await exec(file, [...args, 'sh', '-c', script, 'sh', url])).trim();
}
