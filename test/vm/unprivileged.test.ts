import { readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CsiServer } from '../../deploy/demo/csi-server.ts';
import { inNetns, PEER } from '../../deploy/demo/netns.ts';
import { createNodeNetwork } from '../../deploy/demo/network.ts';
import { guestManifestRecord } from '../../proto/guest-manifest.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { parseMountinfo } from '../../runtime/system/node/mounts.ts';
import { createLab, type Lab, programs } from '../support/lab.ts';
import { createLabVolume } from '../support/lab-volumes.ts';

/** Of a user that a VMM has: the range's first, and its pid. */
const FIRST_UID = 0x7000_0000;
const CAP_DAC_READ_SEARCH = '0000000000000004';
const WAIT = "trap 'exit 0' TERM; while :; do sleep 0.2; done";

let lab: Lab;
let csi: CsiServer;
beforeAll(async () => {
  lab = await createLab();
  csi = await lab.csi();
});
afterAll(async () => {
  await csi.stop();
  await lab.close();
});

/** /proc/PID/status, by name. */
async function readStatus(proc: string): Promise<Readonly<Record<string, string>>> {
  const lines = (await readFile(`${proc}/status`, 'utf8')).trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(':\t').map((part) => part.trim())));
}

const fourTimes = (id: number): string => [id, id, id, id].join('\t');

/** Its root, with every mount in it; of programs and libraries, only where they are. */
async function expectRoot(proc: string): Promise<void> {
  const found = await listBelow(`${proc}/root`, ['usr', 'share/rootfs-0', 'proc/self/fd']);
  expect(found).toEqual([
    ...['bin', 'dev', 'dev/null', 'dev/urandom', 'etc', 'etc/ld.so.cache', 'guest', 'guest/initrd', 'guest/kernel'],
    ...['lib', 'lib64', 'proc', 'proc/self', 'proc/self/fd', 'sbin', 'share', 'share/rootfs-0', 'usr'],
  ]);
  const mounts = parseMountinfo(await readFile(`${proc}/mountinfo`, 'utf8'));
  const options = Object.fromEntries(mounts.map((mount) => [mount.mountPoint, mount.options.filter(isRestriction)]));
  const data = ['ro', 'nosuid', 'nodev', 'noexec'];
  expect(options).toEqual({
    '/': ['ro', 'nosuid', 'noexec'],
    '/usr': ['ro', 'nosuid', 'nodev'],
    '/etc/ld.so.cache': data,
    '/guest/kernel': data,
    '/guest/initrd': data,
    '/share/rootfs-0': data,
    '/proc/self/fd': data,
  });
  expect(mounts).toHaveLength(Object.keys(options).length);
}

const isRestriction = (option: string): boolean => option === 'ro' || option.startsWith('no');

async function listBelow(root: string, closed: readonly string[], below = ''): Promise<string[]> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  const lists = entries.map(async (entry) => {
    const path = join(below, entry.name);
    const isOpen = entry.isDirectory() && !closed.includes(path);
    return [path, ...(isOpen ? await listBelow(root, closed, path) : [])];
  });
  return (await Promise.all(lists)).flat().sort();
}

/** Its descriptors: images, lease, TAP, logs, sockets; of files and directories beyond these, the container's alone. */
async function expectDescriptors(proc: string): Promise<void> {
  const fds = (await readdir(`${proc}/fd`)).map((fd) => `${proc}/fd/${fd}`);
  const open = await Promise.all(
    fds.map(async (fd) => ({ path: await readlink(fd), isDirectory: (await stat(fd)).isDirectory() })),
  );
  const handed = open.filter(({ path }) => path.startsWith('/') && !/^\/share\/rootfs-0(\/|$)/.test(path));
  expect(handed.filter(({ isDirectory }) => isDirectory)).toEqual([]);
  const volumes = join(lab.poolDirectory, 'volumes');
  const names = handed.map(({ path }) => (path.startsWith(volumes) ? basename(path) : path));
  const manifest = join(programs.guestDirectory, 'manifest.json');
  const { root } = guestManifestRecord.decode(await readFile(manifest, 'utf8'), manifest);
  expect([...new Set(names)].sort()).toEqual(
    [
      // Opened in a mount namespace of the VMM's own, from which /dev is gone.
      ...['/net/tun', '/dev/null', '/run/berth/pods/guarded/console.log', '/run/berth/pods/guarded/vmm.log'],
      ...[VOLUME_FILES.image, VOLUME_FILES.lease, join(programs.guestDirectory, root.file)],
    ].sort(),
  );
}

const namespaceOf = (pid: number, name: string): Promise<string> => readlink(`${lab.root}/proc/${pid}/ns/${name}`);

/** What is no file has no name: sockets, pipes and the like, each by its number. */
async function listNameless(pid: number): Promise<string[]> {
  const directory = `${lab.root}/proc/${pid}/fd`;
  const links = await Promise.all((await readdir(directory)).map((fd) => readlink(`${directory}/${fd}`)));
  return links.filter((link) => /^(socket|pipe):/.test(link));
}

it('the VMM is a user that may do nothing, and has what it was handed of the host', async () => {
  const network = await createNodeNetwork('ptp', ['/usr/lib/cni', programs.cniDirectory], lab.prefix);
  const { netns, address } = await network.addPod('guarded');
  const volume = await createLabVolume(lab, csi, 'guarded');
  const script = `
    mkdir /tmp/www; cp /secret /tmp/www/; httpd -p 80 -h /tmp/www
    echo kept >/data/file; sync
    echo "secret $(cat /secret)"
    ${WAIT}`;
  const bundle = await lab.bundle('guarded', script);
  await writeFile(join(bundle, 'rootfs/secret'), 'treasure\n', { mode: 0o600 });
  const flags = ['--netns', netns, '--volume', `${volume.target}:/data`];
  const pod = lab.startBundle('guarded', bundle, flags);
  expect(await lab.line(pod, 'secret')).toBe('treasure');
  const wget = [...inNetns(PEER), 'busybox', 'wget', '-q', '-O', '-', `http://${address}/secret`];
  expect(await lab.exec(...wget)).toBe('treasure\n');

  const { vmm, shim } = await lab.sandbox('guarded');
  const proc = `${lab.root}/proc/${vmm}`;
  expect(await readStatus(proc)).toMatchObject({
    Uid: fourTimes(FIRST_UID + vmm),
    Gid: fourTimes(FIRST_UID + vmm),
    Groups: '',
    CapInh: CAP_DAC_READ_SEARCH,
    CapPrm: CAP_DAC_READ_SEARCH,
    CapEff: CAP_DAC_READ_SEARCH,
    CapBnd: CAP_DAC_READ_SEARCH,
    CapAmb: CAP_DAC_READ_SEARCH,
    NoNewPrivs: '1',
    Seccomp: '2',
  });
  await expectRoot(proc);
  await expectDescriptors(proc);
  const ofTheShim = await listNameless(shim);
  expect((await listNameless(vmm)).filter((link) => ofTheShim.includes(link))).toEqual([]);
  expect(await namespaceOf(vmm, 'ipc')).not.toBe(await namespaceOf(shim, 'ipc'));
  expect(await namespaceOf(vmm, 'net')).toBe(`net:[${(await stat(`${lab.root}${netns}`)).ino}]`);

  const other = await lab.start('other', `echo ready yes; ${WAIT}`);
  await lab.line(other, 'ready');
  const second = await lab.sandbox('other');
  expect(await readStatus(`${lab.root}/proc/${second.vmm}`)).toMatchObject({ Uid: fourTimes(FIRST_UID + second.vmm) });
  expect(second.vmm).not.toBe(vmm);
  const networks = [second.vmm, second.shim, vmm].map((pid) => namespaceOf(pid, 'net'));
  expect(new Set(await Promise.all(networks)).size).toBe(3);
  const refused = await lab.berth(['run', bundle, '--id', 'refused', '--volume', `${volume.target}:/data`]);
  expect(refused).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('guarded') });

  expect(await Promise.all([pod.end(), other.end()])).toEqual([0, 0]);
  expect(await volume.read('/file')).toBe('kept\n');
  await volume.remove();
  expect(await network.deletePod('guarded')).toEqual([]);
  await network.close();
  expect(await lab.remains()).toEqual([]);
});
