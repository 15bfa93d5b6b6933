import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePodUid, parseVolumeId } from '../proto/ids.ts';
import { type VolumeAttachment, volumeAttachmentRecord } from '../proto/volume-attachment.ts';
import { createNodeSystem } from '../runtime/system/node/system.ts';
import { Attachments, targetKey } from './attachments.ts';

let run = '';
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), 'berth-attachments-'));
});
afterEach(() => rm(run, { recursive: true }));

const open = () => Attachments.open(createNodeSystem(), run);
const attachment = (volume: string, pod: string, targetPath: string): VolumeAttachment => ({
  ...{ volumeId: parseVolumeId(volume), podUid: parsePodUid(pod), targetPath, volumeDirectory: `/pool/${volume}` },
  ...{ readOnly: false, accessMode: 'SINGLE_NODE_WRITER', mountFlags: [], publishedAtMs: 1, volumeMode: 'Filesystem' },
});
const one = attachment('v1', 'pod-1', '/a');
const two = attachment('v1', 'pod-2', '/b');
const three = attachment('v2', 'pod-1', '/c');
const files = async () => (await readdir(run, { recursive: true })).sort();

describe('attachments', () => {
  it('are known by volume and by target, now and after a restart', async () => {
    const first = await open();
    await Promise.all([one, two, three].map((each) => first.save(each)));
    for (const attachments of [first, await open()]) {
      expect(new Set(attachments.all())).toEqual(new Set([one, two, three]));
      expect(new Set(await attachments.ofVolume('v1'))).toEqual(new Set([one, two]));
      expect(await attachments.at('/c')).toEqual([three]);
      expect(await attachments.at('/d')).toEqual([]);
    }
  });

  it('are replaced, and go with the directory of their pod', async () => {
    const attachments = await open();
    await Promise.all([attachments.save(one), attachments.save(three), attachments.save({ ...one, readOnly: true })]);
    expect(await attachments.ofVolume('v1')).toEqual([{ ...one, readOnly: true }]);
    await Promise.all([attachments.remove(one), attachments.remove(three), attachments.remove(two)]);
    expect(attachments.all()).toEqual([]);
    expect(await files()).toEqual(['volumes']);
  });

  it('are not confused by what a killed server left', async () => {
    await mkdir(join(run, 'volumes/empty'), { recursive: true });
    await (await open()).save(one);
    await writeFile(join(run, 'volumes/pod-1/x.json.0123456789ab.tmp'), 'half');
    expect((await open()).all()).toEqual([one]);
    expect(await files()).toEqual(['volumes', 'volumes/pod-1', `volumes/pod-1/${targetKey('/a')}.json`]);
  });

  it('that cannot be read are in the way of whoever must know them all, until they are mended', async () => {
    await (await open()).save(one);
    const path = join(run, 'volumes/pod-2', `${targetKey('/b')}.json`);
    await mkdir(join(run, 'volumes/pod-2'));
    await writeFile(path, '{"v":9}');
    const attachments = await open();
    const fault = { code: 'unsupported', message: expect.stringContaining(path) };
    await expect(attachments.ofVolume('v1')).rejects.toMatchObject(fault);
    await expect(attachments.at('/b')).rejects.toMatchObject(fault);
    expect(await attachments.at('/a')).toEqual([one]);
    expect(attachments.knownOf('v1')).toEqual([one]);
    expect(attachments.targetKeys()).toEqual(new Set([targetKey('/a'), targetKey('/b')]));
    await writeFile(path, volumeAttachmentRecord.encode(two));
    expect(new Set(await attachments.ofVolume('v1'))).toEqual(new Set([one, two]));
    await writeFile(path, '{}');
    const again = await open();
    await rm(path);
    expect(await again.ofVolume('v1')).toEqual([one]);
  });
});
