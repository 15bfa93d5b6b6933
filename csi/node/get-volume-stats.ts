import { stat } from 'node:fs/promises';
import { describeError, Fault } from '../../proto/fault.ts';
import type { VolumeAttachment } from '../../proto/volume-attachment.ts';
import { isSameDevice, toDeviceNumber } from '../../runtime/system/device-number.ts';
import { invalid, parseText } from '../validate.ts';
import type { Call } from '../verb.ts';
import { askOwner } from '../volume-owner.ts';
import type { FoundVolume } from '../volumes.ts';
import type { NodeContext } from './context.ts';
import type { NodeGetVolumeStatsRequest, NodeGetVolumeStatsResponse } from './messages.ts';
import { blankMeasurement, type KnownOfVolume, type Measurement, toVolumeStats } from './volume-stats.ts';

/** kubelet asks for every volume once a minute, one after another: a guest that hangs must not hold up the others. */
const SHIM_TIMEOUT_MS = 2000;

/** CSI 1.12, NodeGetVolumeStats: the guest's own words, or the last that are known, with their age. */
export function nodeGetVolumeStats(
  request: NodeGetVolumeStatsRequest,
  context: NodeContext,
): Call<NodeGetVolumeStatsResponse> {
  const volumeId = parseText(request.volume_id, 'volume_id');
  const path = request.volume_path;
  if (path === '') throw invalid('volume_path', 'is required');
  return {
    fields: { volumeId, path },
    async run() {
      const found = context.ephemeral.find(volumeId) ?? context.volumes.require(volumeId);
      const attachment = await findAt(path, context.attachments.knownOf(found.spec.volumeId));
      if (attachment === undefined) {
        const message = `volume ${volumeId} is not published at ${path}`;
        throw new Fault('not-found', message, { fields: { volumeId, path } });
      }
      const { volumeMode } = attachment;
      return toVolumeStats({ volumeMode, ...(await know(found, context)), nowMs: Date.now() });
    },
  };
}

/** kubelet asks of a block volume by a path of its own, which is not the target, but the same device. */
async function findAt(path: string, attachments: readonly VolumeAttachment[]): Promise<VolumeAttachment | undefined> {
  const here = attachments.find(({ targetPath }) => targetPath === path);
  const withDevice = attachments.filter(({ device }) => device !== undefined);
  if (here !== undefined || withDevice.length === 0 || !path.startsWith('/')) return here;
  const found = await stat(path).catch(() => undefined);
  if (found?.isBlockDevice() !== true) return undefined;
  return withDevice.find(({ device }) => isSameDevice(device, toDeviceNumber(found.rdev)));
}

async function know(
  found: FoundVolume,
  context: NodeContext,
): Promise<Pick<KnownOfVolume, 'measurement' | 'problem' | 'silence'>> {
  const { volumeId } = found.spec;
  const { conditions, measurements, shims } = context;
  try {
    const said = await askOwner(found, shims, (shim) =>
      shim.call('measureVolume', { volumeId }, { timeoutMs: SHIM_TIMEOUT_MS }),
    );
    if (said !== undefined) {
      const { problem, ...sizes } = said;
      const measurement = { ...sizes, atMs: Date.now() };
      conditions.note(volumeId, problem);
      measurements.set(volumeId, measurement);
      return { measurement, problem, silence: '' };
    }
    return { ...(await recall(found, context)), silence: '' };
  } catch (error) {
    return { ...(await recall(found, context)), silence: `the guest cannot be asked: ${describeError(error)}` };
  }
}

/** `environment` where nothing is known: kubelet then has no figures of the volume, which is better than wrong ones. */
async function recall(
  found: FoundVolume,
  { conditions, measurements }: NodeContext,
): Promise<{ readonly measurement: Measurement; readonly problem: string }> {
  const { volumeId, capacityBytes } = found.spec;
  const last = measurements.get(volumeId);
  if (last !== undefined) return { measurement: last, problem: await conditions.problemOf(found) };
  const { state, measured, problem = '' } = await found.pool.filesystemOf(volumeId);
  if (measured !== undefined) return { measurement: { ...measured, deviceBytes: capacityBytes }, problem };
  if (state === 'never' || state === 'formatting') {
    return { measurement: blankMeasurement(capacityBytes, Date.now()), problem };
  }
  const message = `how full volume ${volumeId} is only a guest can say, and none has been asked yet`;
  throw new Fault('environment', message, { fields: { volumeId } });
}
