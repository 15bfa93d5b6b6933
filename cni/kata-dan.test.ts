import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseIfName } from '../proto/ids.ts';
import type { NicConfig, NicRoute } from '../proto/network-attachment.ts';
import { createNodeSystem } from '../runtime/system/node/system.ts';
import {
  type DanInterface,
  ensureDanDevice,
  ensureNoDanDevice,
  hasDanDevice,
  parseKataDanDir,
  toDanDevice,
} from './kata-dan.ts';
import { refusal } from './refusal.fixture.ts';

const files = createNodeSystem();
const NIC: NicConfig = {
  mac: '02:00:00:00:00:01',
  mtu: 1400,
  addresses: [
    { address: '10.1.1.2/24', scope: 0 },
    { address: 'fd00::2/64', scope: 0 },
  ],
  routes: [],
  neighbours: [],
  dns: { nameservers: [], search: [], options: [] },
};
const dan = (change: Partial<DanInterface> = {}): DanInterface => ({
  ifName: 'eth0',
  netnsPath: '/run/netns/c1',
  nic: NIC,
  device: { kind: 'tap', name: parseIfName('berth3'), queues: 2 },
  ...change,
});

describe('the directory of Kata', () => {
  it('is where the configuration says, and TAPs are in it', () => {
    expect(parseKataDanDir({}, { mode: 'macvtap' })).toBeUndefined();
    expect(parseKataDanDir({ kataDanDir: '/run/dans' }, { mode: 'tc' })).toBe('/run/dans');
    expect(refusal(() => parseKataDanDir({ kataDanDir: 'dans' }, { mode: 'tc' }))[0]).toBe(7);
    expect(refusal(() => parseKataDanDir({ kataDanDir: '/run/dans' }, { mode: 'macvtap' }))[0]).toBe(2);
  });
});

describe('a device as Kata reads it', () => {
  const route = (destination: string, change: Partial<NicRoute> = {}): NicRoute => ({
    family: destination.includes(':') ? 6 : 4,
    destination,
    scope: 0,
    type: 1,
    protocol: 3,
    table: 254,
    onlink: false,
    ...change,
  });

  it('is a TAP of the host with MAC, MTU and addresses', () => {
    expect(toDanDevice(dan())).toEqual({
      name: 'eth0',
      guest_mac: '02:00:00:00:00:01',
      device: { type: 'host-tap', tap_name: 'berth3', queue_num: 2, queue_size: 256 },
      network_info: {
        interface: { ip_addresses: ['10.1.1.2/24', 'fd00::2/64'], mtu: 1400, ntype: '', flags: 0 },
        routes: [],
        neighbors: [],
      },
    });
  });

  it('may need no TAP', () => {
    const deviceOf = (device: DanInterface['device']) => toDanDevice(dan({ device }))['device'];
    expect(deviceOf({ kind: 'vhost-user', socketPath: '/run/s' })).toEqual({ type: 'vhost-user', path: '/run/s' });
    expect(deviceOf({ kind: 'physical', pciId: '0000:41:08.0' })).toEqual({
      type: 'vfio',
      pci_device_id: '0000:41:08.0',
    });
  });

  it('has routes that its agent can make, and neighbours that last', () => {
    const routes = [
      route('169.254.1.1/32', { scope: 253 }),
      route('0.0.0.0/0', { gateway: '169.254.1.1', onlink: true, mtu: 1300 }),
      route('::/0', { gateway: 'fe80::1', source: 'fd00::2' }),
      route('0.0.0.0/0', { metric: 7 }),
      route('10.1.1.0/24', { protocol: 2 }),
      route('10.7.0.0/16', { table: 100 }),
      route('10.8.0.0/16', { type: 6 }),
      route('10.9.0.0/16', { tos: 16 }),
    ];
    const neighbours = [
      { address: '169.254.1.1', mac: 'ee:ee:ee:ee:ee:ee' },
      { address: 'fe80::1', mac: 'ee:ee:ee:ee:ee:ee' },
    ];
    expect(toDanDevice(dan({ nic: { ...NIC, routes, neighbours } }))['network_info']).toMatchObject({
      routes: [
        { dest: '169.254.1.1/32', gateway: '', source: '', scope: 253, flags: 0, mtu: 0 },
        { dest: '', gateway: '169.254.1.1', source: '', scope: 0, flags: 4, mtu: 1300 },
        { dest: '', gateway: 'fe80::1', source: 'fd00::2', scope: 0, flags: 0, mtu: 0 },
        { dest: '0.0.0.0/0', gateway: '', source: '', scope: 0, flags: 0, mtu: 0 },
      ],
      neighbors: [
        { ip_address: '169.254.1.1/32', hardware_addr: 'ee:ee:ee:ee:ee:ee', state: 128, flags: 0 },
        { ip_address: 'fe80::1/128', hardware_addr: 'ee:ee:ee:ee:ee:ee', state: 128, flags: 0 },
      ],
    });
  });
});

describe('the file of a container', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-dan-'));
    path = join(directory, 'dans/c1.json');
  });
  afterEach(() => rm(directory, { recursive: true }));

  const read = async () => JSON.parse(await readFile(path, 'utf8'));
  const names = async () => (await read()).devices.map(({ name }: { name: string }) => name);

  it('has each interface once, and goes with the last one', async () => {
    for (const ifName of ['eth0', 'net1', 'eth0']) await ensureDanDevice(files, path, dan({ ifName }));
    expect(await read()).toMatchObject({ netns: '/run/netns/c1' });
    expect(await names()).toEqual(['net1', 'eth0']);
    expect(await hasDanDevice(files, path, 'net1')).toBe(true);
    await ensureNoDanDevice(files, path, 'net1');
    expect(await hasDanDevice(files, path, 'net1')).toBe(false);
    expect(await names()).toEqual(['eth0']);
    await ensureNoDanDevice(files, path, 'net7');
    await ensureNoDanDevice(files, path, 'eth0');
    expect(await readdir(join(directory, 'dans'))).toEqual([]);
    await ensureNoDanDevice(files, path, 'eth0');
  });

  it('is for root alone, in a directory that others may pass through', async () => {
    const deep = join(directory, 'kata/dans/c1.json');
    await ensureDanDevice(files, deep, dan());
    const modeOf = async (name: string) => (await stat(join(directory, name))).mode & 0o777;
    expect(await Promise.all(['kata', 'kata/dans', 'kata/dans/c1.json'].map(modeOf))).toEqual([0o755, 0o700, 0o600]);
  });

  it("keeps others' devices of the same namespace, and none of a former one", async () => {
    const foreign = { name: 'sriov0', guest_mac: 'x', device: { type: 'vfio' }, own: 1 };
    await ensureDanDevice(files, path, dan());
    const { devices } = await read();
    await writeFile(path, JSON.stringify({ netns: '/run/netns/c1', devices: [foreign, ...devices] }));
    await ensureDanDevice(files, path, dan());
    expect((await read()).devices[0]).toEqual(foreign);
    await ensureDanDevice(files, path, dan({ netnsPath: '/run/netns/c2' }));
    expect(await names()).toEqual(['eth0']);
  });

  it('that cannot be read stops ADD, and goes with DEL', async () => {
    await ensureDanDevice(files, path, dan());
    for (const text of ['{', '{"devices":7}', '[]']) {
      await writeFile(path, text);
      await expect(ensureDanDevice(files, path, dan())).rejects.toThrow(
        new RegExp(`^${path}: directly attached networks.*; remove the file$`),
      );
      await ensureNoDanDevice(files, path, 'eth0');
      expect(await readdir(join(directory, 'dans'))).toEqual([]);
    }
  });
});
