import { describe, expect, it } from 'vitest';
import { Fault } from '../../proto/fault.ts';
import { DEFAULT_CLASS } from '../../proto/volume-class.ts';
import type { VolumeFilesystem } from '../../proto/volume-filesystem.ts';
import { UUID } from './testing/fake-guest.ts';
import { DEVICE } from './testing/fake-host.ts';
import { FakeWorld } from './testing/fake-world.ts';

const FORMATTED: VolumeFilesystem = { state: 'formatted', uuid: 'u' };
const ASKED = { targetPath: '/pods/u/mount', containerPath: '/data', readOnly: false, subPath: '', isDevice: false };
const refuse = async (): Promise<never> => {
  throw new Fault('precondition', 'the file system wants a person: berth volume fsck');
};

async function created(world: FakeWorld, volume: Partial<typeof ASKED> = {}): Promise<void> {
  const sandbox = await world.sandbox();
  await sandbox.create(
    world.request({ containers: [world.container('main', { volumes: [{ ...ASKED, ...volume }] })] }),
  );
  await sandbox.stop(1_000);
}

describe('a block volume', () => {
  const asDevice = { isDevice: true, containerPath: '/dev/xvda' };
  const world = (state: VolumeFilesystem['state'], readOnly = false) => {
    const made = new FakeWorld({ state });
    made.publish({ volumeMode: 'Block', device: DEVICE, readOnly });
    return made;
  };

  it.each([
    ['never', 'raw'],
    ['formatting', 'raw'],
    ['formatted', 'formatted'],
    ['raw', 'raw'],
  ] as const)('that was `%s` is recorded `%s` before the container has it', async (before, after) => {
    const made = world(before);
    const devices: unknown[] = [];
    made.guest.agent = {
      createContainer: async (request) => {
        expect(made.filesystem.state).toBe(after);
        devices.push(...request.devices);
        return {};
      },
    };
    await created(made, asDevice);
    expect(devices).toEqual([{ serial: 'data', path: '/dev/xvda', readOnly: false }]);
    expect(made.journal).not.toContain('mountVolume');
    expect(made.journal).not.toContain('formatVolume');
  });

  it('that cannot be written stays what it is', async () => {
    const made = world('never', true);
    await created(made, asDevice);
    expect(made.filesystem.state).toBe('never');
  });
});

describe('a file system', () => {
  it('that a guest made on a raw disk is mounted, never formatted', async () => {
    const world = new FakeWorld({ state: 'raw' });
    await created(world);
    expect(world.journal).toContain('mountVolume');
    expect(world.journal).not.toContain('formatVolume');
    expect(world.filesystem).toEqual({ state: 'raw' });
  });

  it('is made with the words of its class', async () => {
    const world = new FakeWorld();
    world.specify({ class: { ...DEFAULT_CLASS, mkfsOptions: ['-m', '0'] } });
    const words: unknown[] = [];
    world.guest.agent = {
      formatVolume: async ({ mkfsOptions }) => {
        words.push(...mkfsOptions);
        return { uuid: UUID };
      },
    };
    await created(world);
    expect(words).toEqual(['-m', '0']);
  });

  it('that cannot be used has the reason on record, until it can', async () => {
    const world = new FakeWorld(FORMATTED);
    world.guest.agent = { mountVolume: refuse };
    await expect(created(world)).rejects.toMatchObject({ code: 'precondition' });
    expect(world.filesystem).toEqual({
      ...FORMATTED,
      problem: 'the file system wants a person: berth volume fsck',
    });
    world.guest.agent = {};
    await created(world);
    expect(world.filesystem).toEqual(FORMATTED);
  });

  it('has of what a guest says no more on record than a person reads, and no half characters', async () => {
    const world = new FakeWorld(FORMATTED);
    world.guest.agent = {
      mountVolume: async () => {
        throw new Fault('precondition', `${'x'.repeat(999)}\u{1f4a5}${'y'.repeat(1 << 20)}`);
      },
    };
    await expect(created(world)).rejects.toMatchObject({ code: 'precondition' });
    expect(world.filesystem.problem).toBe(`${'x'.repeat(999)}\ufffd`);
  });

  it.each(['', 'formatted', 'x'.repeat(1 << 20)])('is not taken for formatted by a UUID that is none', async (uuid) => {
    const world = new FakeWorld();
    world.guest.agent = { formatVolume: async () => ({ uuid }) };
    await expect(created(world)).rejects.toMatchObject({ code: 'malformed' });
    expect(world.filesystem).toEqual({ state: 'formatting' });
  });

  it.each([
    ['is only read, for others may read it too', { readOnly: true }, refuse],
    ['was not judged, for the guest was gone', { readOnly: false }, undefined],
  ])('has nothing on record if it %s', async (_, volume, mountVolume) => {
    const world = new FakeWorld(FORMATTED);
    world.guest.agent = {
      mountVolume:
        mountVolume ??
        (() => {
          world.vmm.kill();
          return new Promise<never>(() => {});
        }),
    };
    await expect(created(world, volume)).rejects.toThrow();
    expect(world.filesystem).toEqual(FORMATTED);
  });

  it('that is only read is leased with others', async () => {
    const world = new FakeWorld(FORMATTED);
    await created(world, { readOnly: true });
    expect(world.journal[0]).toBe('VM holding shared lease /pool/volumes/data/lease');
  });
});

describe('the limits of a volume', () => {
  it('hold before the guest has seen it', async () => {
    const world = new FakeWorld(FORMATTED);
    world.specify({ limits: { iops: 100, bandwidthBytes: 0 } });
    await created(world);
    const [, throttled, next] = world.journal;
    expect([throttled, next]).toEqual(['disk-data throttled to 100/s, 0 B/s', 'setUpSandbox']);
  });
});
