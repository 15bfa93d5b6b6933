import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { CONTROL_PORT, STDIO_PORT } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import { guestCgroupsPath, guestRootfsPath, ROOT_SERIAL } from '../../proto/guest-layout.ts';
import { guestManifestRecord } from '../../proto/guest-manifest.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { type BootDeadline, connectChannel } from '../../runtime/guest-client/connect.ts';
import { createAgent } from '../../runtime/guest-client/control.ts';
import { type OciSpec, parseOciSpec } from '../../runtime/plan/oci-spec.ts';
import { parseTscKhz } from '../../runtime/sandbox/tsc-frequency.ts';
import { StdioMux } from '../../runtime/system/channel/stdio-mux.ts';
import { errorCode } from '../../runtime/system/node/errno.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { createNodeSystem } from '../../runtime/system/node/system.ts';
import { firstChild, type World } from '../../test/support/world.ts';
import type { ComparedPod } from './compared-pod.ts';

const SHARE_TAG = 'rootfs';
const STDIO_ID = 1;
const STDOUT = 1;
const BOOT_TIMEOUT_MS = 120_000;
const SOCKET_POLL_MS = 2;
/** CONFIG_HZ of Debian's kernels. */
const GUEST_HZ = 250;

/**
 * The same pod as a person would start it who knows all there is to know: one QEMU line, written out, with the kernel,
 * the image and the devices that berth gives the VM; then the guest is told of its container and nothing else. No shim,
 * no plan, no record, no probing, no monitor.
 */
export async function startHandWrittenPod(world: World, bundle: string, name: string): Promise<ComparedPod> {
  const directory = `${world.runDirectory}/${name}`;
  const [file = '', ...prefix] = world.prefix;
  await exec(file, [...prefix, 'mkdir', '-p', directory]);
  const spec = parseOciSpec(JSON.parse(await readFile(join(bundle, 'config.json'), 'utf8')), bundle);
  const line = await qemuLine(directory, join(bundle, spec.root.path));

  const startMs = performance.now();
  const qemu = execa(file, [...prefix, ...line], { reject: false, stdin: 'ignore', stdout: 'ignore' });
  const deadline: BootDeadline = { timeoutMs: BOOT_TIMEOUT_MS, atMs: startMs + BOOT_TIMEOUT_MS };
  const inside = `${world.root}${directory}`;
  const agent = createAgent(await connect(`${inside}/control.sock`, CONTROL_PORT, deadline));
  const stdio = await connect(`${inside}/stdio.sock`, STDIO_PORT, deadline);
  const mux = new StdioMux();
  const carried = mux.attach(stdio);
  const output = mux.receiver(STDIO_ID, STDOUT);
  await agent.call('setUpSandbox', { hostname: name, dns: undefined, interfaces: [] });
  await agent.call('createContainer', {
    containerId: name,
    spec: new TextEncoder().encode(JSON.stringify(toGuestSpec(spec, name))),
    rootfs: { shareTag: SHARE_TAG },
    stdioId: STDIO_ID,
  });
  await agent.call('startContainer', { containerId: name });
  await output.read();
  const startedMs = performance.now() - startMs;
  const pid = await firstChild(qemu.pid ?? 0);
  return {
    startedMs,
    vmm: `/proc/${pid}`,
    async end() {
      process.kill(pid, 'SIGKILL');
      await qemu;
      await carried.catch(() => {});
      await exec(file, [...prefix, 'rm', '-r', directory]);
    },
  };
}

/** The pod's network is the guest's own. */
const toGuestSpec = (spec: OciSpec, name: string) => ({
  ...spec,
  root: { ...spec.root, path: guestRootfsPath(name) },
  linux: {
    ...spec.linux,
    namespaces: (spec.linux?.namespaces ?? []).filter(({ type }) => type !== 'network'),
    cgroupsPath: guestCgroupsPath(name),
  },
});

async function qemuLine(directory: string, root: string): Promise<readonly string[]> {
  const image = findPrograms().guestDirectory;
  const manifestPath = join(image, 'manifest.json');
  const manifest = guestManifestRecord.decode(await readFile(manifestPath, 'utf8'), manifestPath);
  const tscKhz = parseTscKhz(await readFile('/proc/cpuinfo', 'utf8'));
  const parameters = `console=ttyS0 quiet panic=-1 tsc_early_khz=${tscKhz} lpj=${Math.floor((tscKhz * 1000) / GUEST_HZ)}`;
  return `
    qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
    -machine q35,sata=off,smbus=off,vmport=off,dump-guest-core=off -accel tcg,thread=single,tb-size=64
    -cpu max -smp 1 -m 256M
    -kernel ${join(image, manifest.kernel.file)} -initrd ${join(image, manifest.initrd.file)} -append @parameters
    -chardev file,id=console,path=${directory}/console.log -serial chardev:console
    -device virtio-serial-pci,id=ports
    -chardev socket,id=control,path=${directory}/control.sock,server=on,wait=off
    -device virtserialport,bus=ports.0,chardev=control,name=${CONTROL_PORT}
    -chardev socket,id=stdio,path=${directory}/stdio.sock,server=on,wait=off
    -device virtserialport,bus=ports.0,chardev=stdio,name=${STDIO_PORT}
    -blockdev raw,node-name=root,read-only=on,file.driver=file,file.filename=${join(image, manifest.root.file)}
    -device virtio-blk-pci,drive=root,serial=${ROOT_SERIAL}
    -fsdev local,id=share,path=${root},security_model=none,readonly=on,multidevs=remap
    -device virtio-9p-pci,fsdev=share,mount_tag=${SHARE_TAG}
    -device virtio-rng-pci
  `
    .trim()
    .split(/\s+/)
    .map((word) => (word === '@parameters' ? parameters : word));
}

/** QEMU makes its sockets a moment after its start. */
async function connect(socket: string, name: string, deadline: BootDeadline) {
  const system = createNodeSystem();
  for (;;) {
    try {
      return await connectChannel(system, { name, socket }, deadline);
    } catch (error) {
      const isAbsent = error instanceof Fault && errorCode(error.cause) === 'ENOENT';
      if (!isAbsent || system.now() > deadline.atMs) throw error;
      await setTimeout(SOCKET_POLL_MS);
    }
  }
}
