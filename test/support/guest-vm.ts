import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { writeBundle } from '../../deploy/demo/bundle.ts';
import { CONTROL_PORT, STDIO_PORT } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import { guestBindPath, guestCgroupsPath, guestRootfsPath, ROOT_SERIAL } from '../../proto/guest-layout.ts';
import { guestManifestRecord } from '../../proto/guest-manifest.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { connectChannel } from '../../runtime/guest-client/connect.ts';
import { type Agent, createAgent } from '../../runtime/guest-client/control.ts';
import { planKernelParameters } from '../../runtime/plan/kernel-parameters.ts';
import { parseTscKhz } from '../../runtime/sandbox/tsc-frequency.ts';
import { StdioMux } from '../../runtime/system/channel/stdio-mux.ts';
import type { StdioReceiver } from '../../runtime/system/channel/stdio-receiver.ts';
import { errorCode } from '../../runtime/system/node/errno.ts';
import { createNodeSystem } from '../../runtime/system/node/system.ts';

const SHARE = 'root';
const BOOT_LIMIT_MS = 180_000;

/** A disk of a guest: a raw image, by the serial that the guest finds it by. */
export interface GuestDisk {
  readonly serial: string;
  readonly image: string;
}

/** A part of a volume at a path of a container. */
export interface GuestMount {
  readonly serial: string;
  readonly subPath?: string;
  readonly path: string;
  readonly readOnly?: boolean;
}

export interface GuestScript {
  readonly mounts?: readonly GuestMount[];
  readonly devices?: readonly { readonly serial: string; readonly path: string; readonly readOnly: boolean }[];
  readonly user?: number;
  /** Beside the user's own. */
  readonly groups?: readonly number[];
  /** It may use what the kernel keeps for its administrator, in a sysfs that can be written. */
  readonly isPrivileged?: boolean;
}

/** The guest image and its agent, without berth's host side: QEMU by hand, and calls of the agent's protocol. */
export interface GuestVm {
  readonly agent: Agent;
  /** Runs a shell script in a container to its end; answers what it printed. A failed one is an error with that. */
  run(script: string, options?: GuestScript): Promise<string>;
  /** Enlarges a disk's image, and tells the guest. */
  resize(serial: string, sizeBytes: number): Promise<void>;
  /** Unmounts all and switches off. */
  shutdown(): Promise<void>;
  /** As a power failure does. */
  kill(): Promise<void>;
}

export async function bootGuestVm(directory: string, disks: readonly GuestDisk[]): Promise<GuestVm> {
  const bundle = await writeBundle(join(directory, 'bundle'), 'true');
  const socket = (name: string): string => join(directory, `${name}.sock`);
  const command = await planCommand(disks, join(bundle, 'rootfs'), join(directory, 'console.log'), socket);
  const qemu = spawn('qemu-system-x86_64', command, { stdio: ['pipe', 'ignore', 'inherit'] });
  const exited = once(qemu, 'exit');
  const deadline = { timeoutMs: BOOT_LIMIT_MS, atMs: createNodeSystem().now() + BOOT_LIMIT_MS };
  const connect = (name: string) =>
    connectWhenThere(qemu, { name, socket: socket(name) }, deadline).catch((error: unknown) => {
      qemu.kill('SIGKILL');
      throw error;
    });
  const agent = createAgent(await connect(CONTROL_PORT));
  const mux = new StdioMux();
  mux.attach(await connect(STDIO_PORT)).catch(() => {});
  let scripts = 0;
  return {
    agent,
    async run(script, options = {}) {
      scripts += 1;
      const outputs = ([1, 2] as const).map((stream) => gather(mux.receiver(scripts, stream)));
      const exitCode = await runContainer(agent, { number: scripts, script, ...options }, bundle);
      const printed = (await Promise.all(outputs)).join('');
      if (exitCode !== 0) throw new Error(`the script ended with ${exitCode}: ${printed}`);
      return printed;
    },
    async resize(serial, sizeBytes) {
      const image = disks.find((disk) => disk.serial === serial)?.image ?? '';
      await truncate(image, sizeBytes);
      qemu.stdin.write(`block_resize ${serial} ${sizeBytes / 2 ** 20}M\n`);
    },
    async shutdown() {
      await agent.call('shutdown', {});
      await exited;
    },
    async kill() {
      qemu.kill('SIGKILL');
      await exited;
    },
  };
}

export async function createImage(image: string, sizeBytes: number): Promise<void> {
  const file = await open(image, 'wx');
  await file.truncate(sizeBytes);
  await file.close();
}

async function planCommand(
  disks: readonly GuestDisk[],
  root: string,
  console: string,
  socket: (name: string) => string,
): Promise<string[]> {
  const { guestDirectory } = findPrograms();
  const path = join(guestDirectory, 'manifest.json');
  const manifest = guestManifestRecord.decode(await readFile(path, 'utf8'), path);
  const drive = (serial: string, image: string, flags: string): string[] => [
    ...['-drive', `if=none,format=raw,id=${serial},file=${image},discard=unmap,${flags}`],
    ...['-device', `virtio-blk-pci,drive=${serial},serial=${serial}`],
  ];
  const port = (name: string, index: number): string[] => [
    ...['-chardev', `socket,id=port${index},path=${socket(name)},server=on,wait=off`],
    ...['-device', `virtserialport,chardev=port${index},name=${name}`],
  ];
  return [
    ...['-machine', 'q35,sata=off', '-accel', 'tcg,thread=single', '-cpu', 'max', '-m', '256M', '-nodefaults'],
    ...['-no-user-config', '-display', 'none', '-no-reboot', '-monitor', 'stdio', '-serial', `file:${console}`],
    ...['-kernel', join(guestDirectory, manifest.kernel.file), '-initrd', join(guestDirectory, manifest.initrd.file)],
    ...['-append', await kernelParameters(), '-device', 'virtio-serial-pci'],
    ...drive(ROOT_SERIAL, join(guestDirectory, manifest.root.file), 'readonly=on'),
    ...disks.flatMap(({ serial, image }) => drive(serial, image, 'cache=writeback')),
    ...[CONTROL_PORT, STDIO_PORT].flatMap(port),
    ...['-fsdev', `local,id=share,path=${root},security_model=none,readonly=on`],
    ...['-device', `virtio-9p-pci,fsdev=share,mount_tag=${SHARE}`],
  ];
}

async function kernelParameters(): Promise<string> {
  const tscKhz = parseTscKhz(await readFile('/proc/cpuinfo', 'utf8'));
  const accelerator = { chosen: 'tcg', reason: 'on every host the same' } as const;
  return planKernelParameters({ accelerator, tscKhz, trace: '' }).join(' ');
}

/** QEMU makes its sockets a moment after its start. */
async function connectWhenThere(
  qemu: ChildProcess,
  port: { name: string; socket: string },
  deadline: { timeoutMs: number; atMs: number },
) {
  const system = createNodeSystem();
  for (;;) {
    try {
      return await connectChannel(system, port, deadline);
    } catch (error) {
      const isComing = error instanceof Fault && ['ENOENT', 'ECONNREFUSED'].includes(errorCode(error.cause) ?? '');
      if (!isComing || qemu.exitCode !== null) throw error;
    }
    await setTimeout(20);
  }
}

async function gather(receiver: StdioReceiver): Promise<string> {
  const chunks: Uint8Array[] = [];
  for (let chunk = await receiver.read(); chunk !== undefined; chunk = await receiver.read()) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function runContainer(
  agent: Agent,
  {
    number,
    script,
    mounts = [],
    devices = [],
    user = 0,
    groups = [],
    isPrivileged = false,
  }: GuestScript & { number: number; script: string },
  bundle: string,
): Promise<number> {
  const containerId = `script-${number}`;
  const spec = JSON.parse(await readFile(join(bundle, 'config.json'), 'utf8'));
  spec.root.path = guestRootfsPath(containerId);
  spec.process.args = ['/bin/sh', '-ec', script];
  spec.process.user = { uid: user, gid: user, additionalGids: groups };
  if (isPrivileged) {
    for (const kind of ['bounding', 'effective', 'permitted']) spec.process.capabilities[kind].push('CAP_SYS_ADMIN');
    spec.mounts = spec.mounts.filter(({ destination }: { destination: string }) => destination !== '/sys');
    spec.mounts.push({ destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['rw'] });
  }
  spec.linux.cgroupsPath = guestCgroupsPath(containerId);
  spec.linux.namespaces = ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type }));
  const binds = mounts.map(({ serial, subPath = '' }, index) => ({ name: `mount-${index}`, serial, subPath }));
  spec.mounts.push(
    ...mounts.map(({ path, readOnly = false }, index) => ({
      ...{ destination: path, type: 'bind', source: guestBindPath(containerId, `mount-${index}`) },
      options: ['rbind', readOnly ? 'ro' : 'rw'],
    })),
  );
  await agent.call('createContainer', {
    ...{ containerId, stdioId: number, rootfs: { shareTag: SHARE }, binds, devices: [...devices] },
    spec: new TextEncoder().encode(JSON.stringify(spec)),
  });
  try {
    await agent.call('startContainer', { containerId });
    return (await agent.call('waitContainer', { containerId })).exitCode;
  } finally {
    await agent.call('removeContainer', { containerId });
  }
}
