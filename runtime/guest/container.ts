import { Fault } from '../../proto/fault.ts';
import { guestCgroupsPath } from '../../proto/guest-layout.ts';
import type { StdioMux } from '../system/channel/stdio-mux.ts';
import type { Log } from '../system/log.ts';
import { attempt, forgive } from '../system/native/errors.ts';
import { ensureDirectory } from '../system/native/file.ts';
import { awaitPid, spawnChild, toExitCode } from '../system/native/process.ts';
import { sys } from '../system/native/sys.ts';
import type { System } from '../system/port.ts';
import { type Undo, withUndo } from '../system/undo.ts';
import { type BindRequest, ensureNoBinds, mountBinds } from './binds.ts';
import { addDevices } from './container-devices.ts';
import { type CrunContainer, crunCreate, crunDelete, crunFault, crunKillAll, crunStart, parsePidFile } from './crun.ts';
import { ensureNoDirectory, ensureNoFile, readText, writeBytes, writeText } from './files.ts';
import { ensureNoRootfs, mountRootfs } from './rootfs.ts';
import type { Shares } from './shares.ts';
import { type ContainerStdio, openStdio } from './stdio.ts';
import { runTool } from './tool.ts';
import type { Volumes } from './volume.ts';

const DIRECTORY = '/run/berth/containers';
const CRUN_TIMEOUT_MS = 55_000;

export interface ContainerRequest {
  readonly containerId: string;
  readonly spec: Uint8Array;
  readonly rootfs: { readonly shareTag: string } | undefined;
  readonly stdioId: number;
  readonly binds: readonly BindRequest[];
  readonly devices: readonly { readonly serial: string; readonly path: string; readonly readOnly: boolean }[];
}

/** What the agent as a whole gives its containers. */
export interface ContainerHome {
  readonly system: System;
  readonly mux: StdioMux;
  readonly volumes: Volumes;
  readonly shares: Shares;
  readonly log: Log;
}

/** One container, from crun's create on. */
export class Container {
  /** Resolves with the exit code of its init, as a shell counts. */
  readonly exited: Promise<number>;
  private readonly home: ContainerHome;
  private readonly crun: CrunContainer;
  private readonly pid: number;
  private readonly stdio: ContainerStdio;
  private starting: Promise<void> | undefined;
  private isGone = false;

  private constructor(home: ContainerHome, crun: CrunContainer, pid: number, stdio: ContainerStdio) {
    this.home = home;
    this.crun = crun;
    this.pid = pid;
    this.stdio = stdio;
    this.exited = this.awaitExit();
  }

  /** Root, streams, and the container's init, which waits for start(). What fails is undone. */
  static create(home: ContainerHome, request: ContainerRequest): Promise<Container> {
    return withUndo(home.log, async (undo) => {
      const { containerId, stdioId } = request;
      const crun = await prepareBundle(home, request, undo);
      const stdio = openStdio(home.mux, stdioId, home.log, undo);
      undo.defer(`container ${containerId}`, async () => {
        await runTool(home.system, crunDelete(crun), CRUN_TIMEOUT_MS);
      });
      await spawnCreate(crun, stdio);
      return new Container(home, crun, parsePidFile(readText(crun.pidFile), containerId), stdio);
    });
  }

  /** Repeated, it answers as the first time. */
  start(): Promise<void> {
    this.starting ??= this.runCrun('start', crunStart(this.crun));
    return this.starting;
  }

  /** The exit code, once the host has acknowledged all output. */
  async wait(): Promise<number> {
    const exitCode = await this.exited;
    await this.stdio.drained();
    return exitCode;
  }

  /** A signal to a container that has exited reaches nobody, and that is well. */
  async signal(signal: number, all: boolean): Promise<void> {
    if (this.isGone) return;
    if (all) await this.runCrun('signal', crunKillAll(this.crun, signal));
    // We alone reap it: until then the pid is no other process's.
    else attempt(`could not signal container ${this.crun.id}`, () => sys.kill(this.pid, signal));
  }

  /** Kills what still runs; then nothing is left of it but output that the host has not acknowledged yet. */
  async remove(): Promise<void> {
    await this.runCrun('delete', crunDelete(this.crun));
    await this.exited;
    ensureNoBinds(this.crun.id);
    ensureNoRootfs(this.crun.bundle, this.crun.id);
    ensureNoBundle(this.crun);
    this.stdio.release();
  }

  private async awaitExit(): Promise<number> {
    const exitCode = toExitCode(await awaitPid(this.pid));
    this.isGone = true;
    // Without a PID namespace of its own, processes may outlive its init and hold its streams open.
    forgive(['ENOENT', 'ENODEV', 'EOPNOTSUPP'], undefined, () => {
      writeText(`/sys/fs/cgroup${guestCgroupsPath(this.crun.id)}/cgroup.kill`, '1');
    });
    this.home.log.info('container exited', { containerId: this.crun.id, exitCode });
    return exitCode;
  }

  private async runCrun(verb: string, command: readonly string[]): Promise<void> {
    const completed = await runTool(this.home.system, command, CRUN_TIMEOUT_MS);
    if (completed.exitCode === 0) return;
    throw crunFault(verb, this.crun.id, completed.exitCode, new TextDecoder().decode(completed.stderr));
  }
}

async function prepareBundle(home: ContainerHome, request: ContainerRequest, undo: Undo): Promise<CrunContainer> {
  const { containerId, rootfs } = request;
  if (rootfs === undefined) {
    throw new Fault('invalid', `container ${containerId}: the request names no root`, { fields: { field: 'rootfs' } });
  }
  const bundle = `${DIRECTORY}/${containerId}`;
  const crun = { id: containerId, bundle, pidFile: `${bundle}/pid`, logFile: `${bundle}/crun.log` };
  undo.defer(`bundle of ${containerId}`, () => ensureNoBundle(crun));
  ensureDirectory(bundle, 0o700);
  mountRootfs(bundle, containerId, home.shares.ensure(rootfs.shareTag), undo);
  mountBinds(containerId, request.binds, home.volumes, undo);
  writeBytes(`${bundle}/config.json`, await toGuestSpec(home.volumes, request));
  return crun;
}

/** The specification with the disks that only the guest knows the numbers of. */
async function toGuestSpec(volumes: Volumes, { spec, devices }: ContainerRequest): Promise<Uint8Array> {
  if (devices.length === 0) return spec;
  const nodes = await Promise.all(
    devices.map(async (device) => ({ ...device, ...(await volumes.deviceNumber(device.serial)) })),
  );
  return sys.utf8Encode(addDevices(sys.utf8Decode(spec), nodes));
}

function ensureNoBundle({ bundle, pidFile, logFile }: CrunContainer): void {
  for (const file of [pidFile, logFile, `${bundle}/config.json`]) ensureNoFile(file);
  ensureNoDirectory(bundle);
}

/** crun's own streams are those of the container's init: what it has to say itself is in its log. */
async function spawnCreate(crun: CrunContainer, { theirs }: ContainerStdio): Promise<void> {
  let exited: ReturnType<typeof spawnChild>['exited'];
  try {
    exited = spawnChild({ argv: crunCreate(crun), fds: theirs }).exited;
  } finally {
    for (const fd of theirs) sys.close(fd);
  }
  const exitCode = toExitCode(await exited);
  if (exitCode !== 0) throw crunFault('create', crun.id, exitCode, readText(crun.logFile) ?? '');
}
