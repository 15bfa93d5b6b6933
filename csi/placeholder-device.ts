import { readFile, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '../proto/fault.ts';
import { type DeviceNumber, isSameDevice, toDeviceNumber } from '../runtime/system/device-number.ts';
import { failpoint } from '../runtime/system/failpoint.ts';
import { errorCode } from '../runtime/system/node/errno.ts';
import type { Undo } from '../runtime/system/undo.ts';
import type { HostCalls } from './host-calls.ts';
import { placeholderText } from './placeholder-text.ts';
import { absentOr, findTarget, targetRefusal } from './target-path.ts';

/**
 * What stands for a volume in Block mode: a read-only loop device of one sector. The container's device list carries its
 * number, by which the runtime finds the volume; the data are never on a device of the host. The loop is found again by
 * its file, because the number must stay for as long as the pod runs, whatever becomes of this server.
 */
export interface DevicePlaceholder {
  /** The backing file, this publication's own. */
  readonly file: string;
  readonly targetPath: string;
}

const SECTOR_BYTES = 512;

/** The loop device, made unless it is there. `known` is what the record of the publication says, if there is one. */
export async function ensurePlaceholderLoop(
  host: HostCalls,
  { file }: DevicePlaceholder,
  volumeId: string,
  known: DeviceNumber | undefined,
  undo: Undo,
): Promise<DeviceNumber> {
  if (known !== undefined && (await isLoopOf(known, file))) return known;
  const [found] = await host.loopsOf(file);
  if (found !== undefined) return toNumber(found);
  undo.defer('placeholder loop', () => ensureNoPlaceholderLoop(host, file));
  await write(file, volumeId);
  const made = await host.attachLoop(file, { readOnly: true });
  failpoint('loop.attached');
  return toNumber(made);
}

/**
 * The node at the target path. `former` is the number that it had before: a loop that was detached behind our back comes
 * again with another one. Undone by `undo` if this call made it.
 */
export async function ensurePlaceholderNode(
  host: HostCalls,
  { file, targetPath }: DevicePlaceholder,
  device: DeviceNumber,
  former: DeviceNumber | undefined,
  undo: Undo,
): Promise<void> {
  const target = await findTarget(targetPath);
  if (target === undefined) throw targetRefusal(targetPath, `cannot be made: ${dirname(targetPath)} is not there`);
  const { path, found } = target;
  if (found?.isBlockDevice() === true && isSameDevice(device, toDeviceNumber(found.rdev))) return;
  if (found !== undefined) await ensureNoNode(path, targetPath, file, former);
  undo.defer('target node', async () => {
    await ensureNoNode(path, targetPath, file, device);
  });
  await host.makeDeviceNode(path, device);
  failpoint('target.made');
}

/**
 * Removes node, loop and file. `device` is what the record says, if there is one. Fault `precondition` if something else
 * is at the path.
 */
export async function ensureNoPlaceholderDevice(
  host: HostCalls,
  { file, targetPath }: DevicePlaceholder,
  device: DeviceNumber | undefined,
): Promise<void> {
  const target = await findTarget(targetPath);
  if (target?.found !== undefined) await ensureNoNode(target.path, targetPath, file, device);
  await ensureNoPlaceholderLoop(host, file);
}

/** While another has the loop open, as kubelet's second loop does, the kernel detaches it when that one goes. */
export async function ensureNoPlaceholderLoop(host: HostCalls, file: string): Promise<void> {
  for (const loop of await host.loopsOf(file)) {
    await host.detachLoop(loop);
    failpoint('loop.detached');
  }
  await unlink(file).catch(absentOr(`could not remove ${file}`));
}

async function ensureNoNode(
  path: string,
  targetPath: string,
  file: string,
  device: DeviceNumber | undefined,
): Promise<void> {
  const found = (await findTarget(targetPath))?.found;
  if (found === undefined) return;
  const number = toDeviceNumber(found.rdev);
  const isOurs = found.isBlockDevice() && (isSameDevice(device, number) || (await isLoopOf(number, file)));
  if (!isOurs) throw targetRefusal(targetPath, "is not the publication's device");
  await unlink(path).catch((cause: unknown) => {
    if (errorCode(cause) === 'EBUSY') throw targetRefusal(targetPath, 'has something mounted on it');
    return absentOr(`could not remove ${path}`)(cause);
  });
  failpoint('target.removed');
}

async function isLoopOf({ major, minor }: DeviceNumber, file: string): Promise<boolean> {
  const attribute = `/sys/dev/block/${major}:${minor}/loop/backing_file`;
  const text = await readFile(attribute, 'utf8').catch((error: unknown) => {
    if (['ENOENT', 'ENXIO', 'ENODEV'].includes(errorCode(error) ?? '')) return undefined;
    throw new Fault('io', `could not read ${attribute}`, { cause: error });
  });
  return text === `${file}\n`;
}

/** One sector: what reads the device from its start finds the words. */
async function write(file: string, volumeId: string): Promise<void> {
  const text = placeholderText(volumeId, SECTOR_BYTES);
  await writeFile(file, text, { mode: 0o600 }).catch((cause: unknown) => {
    throw new Fault('io', `could not write ${file}`, { fields: { path: file }, cause });
  });
  failpoint('placeholder.filled');
}

const toNumber = ({ major, minor }: DeviceNumber): DeviceNumber => ({ major, minor });
