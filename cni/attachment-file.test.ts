import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCniContainerId, parseIfName, parseNetworkName } from '../proto/ids.ts';
import type { NetworkAttachment } from '../proto/network-attachment.ts';
import { createNodeSystem } from '../runtime/system/node/system.ts';
import type { Files } from '../runtime/system/port.ts';
import { attachmentFile } from './attachment-file.ts';

const NAME = 'net:c1:eth0.json';
const attachment = { containerId: parseCniContainerId('c1'), ifName: parseIfName('eth0') };
const record: NetworkAttachment = {
  ...attachment,
  state: 'wiring',
  network: parseNetworkName('net'),
  netnsPath: '/run/netns/c1',
  netnsId: '4:7',
  bootId: 'b',
  ifIndex: 2,
  device: { kind: 'tap', name: parseIfName('berth2'), queues: 1 },
  ownsIngress: true,
};

let runDirectory: string;
let asked: string[];
beforeEach(async () => {
  runDirectory = await mkdtemp(join(tmpdir(), 'berth-attachment-'));
  asked = [];
});
afterEach(() => rm(runDirectory, { recursive: true }));

function open() {
  const system = createNodeSystem();
  const note =
    <A extends unknown[], R>(name: string, act: (...given: A) => R) =>
    (...given: A): R => {
      asked.push(name);
      return act(...given);
    };
  const files: Files = {
    readFile: note('read', system.readFile),
    writeFile: note('write', system.writeFile),
    remove: note('remove', system.remove),
    list: note('list', system.list),
    makeDirectory: note('make', system.makeDirectory),
  };
  const config = { cniVersion: '1.0.0', network: record.network, runDirectory, logLevel: 'warn' } as const;
  return attachmentFile(files, config, attachment);
}

describe('the record of an attachment', () => {
  it('is written without a look at others, and its directory is made when it is missing', async () => {
    const file = open();
    await file.save(record);
    expect(asked).toEqual(['write', 'make', 'write']);
    await file.save({ ...record, state: 'ready' });
    expect(asked.slice(3)).toEqual(['write']);
    expect(await open().load()).toEqual({ ...record, state: 'ready' });
  });

  it('goes with what a killed one was writing, and leaves that of others', async () => {
    const file = open();
    await file.save(record);
    const directory = join(runDirectory, 'networks');
    const others = [`net:c2:eth0.json.0123456789ab.tmp`, `${NAME}x.0123456789ab.tmp`];
    for (const name of [`${NAME}.0123456789ab.tmp`, ...others]) await writeFile(join(directory, name), '');
    expect(await file.remove()).toBe(true);
    expect((await readdir(directory)).sort()).toEqual(others.sort());
    expect(await file.remove()).toBe(false);
  });
});
