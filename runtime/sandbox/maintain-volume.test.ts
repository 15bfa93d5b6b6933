import { describe, expect, it } from 'vitest';
import { parsePodUid, parseSandboxId } from '../../proto/ids.ts';
import type { MaintainVolume } from '../../proto/shim.ts';
import type { VolumeFilesystem } from '../../proto/volume-filesystem.ts';
import { decodeLease, volumeLeaseRecord } from '../../proto/volume-lease.ts';
import { FakeWorld } from './testing/fake-world.ts';

const PATH = '/pool/volumes/data/lease';
const LEASE = `lease ${PATH}`;
const FORMATTED: VolumeFilesystem = { state: 'formatted', uuid: 'u', problem: 'the file system wants a person' };

const request = (changes: Partial<MaintainVolume> = {}): MaintainVolume => ({
  volumeDirectory: '/pool/volumes/data',
  task: 'check',
  repair: 'none',
  guestDirectory: '/guest',
  memoryMib: 256,
  accelerator: 'tcg',
  bootTimeoutMs: 5_000,
  qemu: '',
  unchangedSince: '',
  ...changes,
});

function expectNothingLeft(world: FakeWorld): void {
  expect([...world.open.values()]).toEqual([]);
  expect(world.journal.at(-1)).toBe('release');
}

describe('maintenance of a volume', () => {
  it.each([
    ['none', `shared ${LEASE}`, FORMATTED.problem],
    ['safe', LEASE, undefined],
    ['full', LEASE, undefined],
  ])('checks it, repair %s, under the lease, in a VM that is gone afterwards', async (repair, lease, problem) => {
    const world = new FakeWorld(FORMATTED);
    world.guest.agent = { checkVolume: async (asked) => ({ isClean: true, words: `${asked.fsType} ${asked.repair}` }) };
    const sandbox = await world.sandbox();
    expect(await sandbox.maintain(request({ repair }))).toMatchObject({ isClean: true, words: `ext4 ${repair}` });
    await sandbox.ended;
    const events = world.journal.filter((event) => !event.startsWith('recorded'));
    expect(events).toEqual([`VM holding ${lease}`, 'checkVolume', 'shutdown', 'VM killed', 'release']);
    expect(world.filesystem.problem).toBe(problem);
    // No pod: nobody asks its guest to freeze for a copy, which would be one of a half repaired disk.
    expect(decodeLease(world.files.get(PATH) ?? '', PATH)).toMatchObject({ purpose: expect.stringMatching(/check/) });
    expectNothingLeft(world);
  });

  it('that found no end of it leaves the reason on record', async () => {
    const world = new FakeWorld(FORMATTED);
    world.guest.agent = { checkVolume: async () => ({ isClean: false, words: 'UNEXPECTED INCONSISTENCY' }) };
    const sandbox = await world.sandbox();
    expect(await sandbox.maintain(request({ repair: 'safe' }))).toMatchObject({ isClean: false });
    expect(world.filesystem).toEqual(FORMATTED);
  });

  it('hands on what the guest says as plain text, and the end of it', async () => {
    const world = new FakeWorld(FORMATTED);
    const words = `${'x'.repeat(20_000)}\u001b[2J\u009b1m\r\n\té`;
    world.guest.agent = { checkVolume: async () => ({ isClean: false, words }) };
    const sandbox = await world.sandbox();
    const said = (await sandbox.maintain(request())).words;
    expect(said).toHaveLength(16_000);
    expect(said.slice(-12)).toBe('x?[2J?1m?\n\té');
  });

  it('gives free blocks back', async () => {
    const world = new FakeWorld({ state: 'formatted', uuid: 'u' });
    world.guest.agent = { trimVolume: async () => ({ trimmedBytes: 7 }) };
    const sandbox = await world.sandbox();
    expect(await sandbox.maintain(request({ task: 'trim' }))).toMatchObject({ trimmedBytes: 7 });
    expect(world.journal).toEqual([
      `VM holding ${LEASE}`,
      'mountVolume',
      'trimVolume',
      'shutdown',
      'VM killed',
      'release',
    ]);
  });

  it.each<[string, Partial<MaintainVolume>, VolumeFilesystem, string, RegExp]>([
    ['that has no file system', {}, { state: 'never' }, 'precondition', /no file system yet/],
    ['that is nowhere', { volumeDirectory: '/pool/volumes/none' }, FORMATTED, 'not-found', /none\/spec\.json/],
    ['for a task that nobody knows', { task: 'paint' }, FORMATTED, 'invalid', /"paint"/],
  ])('of a volume %s is refused, and boots nothing', async (_, changes, filesystem, code, message) => {
    const world = new FakeWorld(filesystem);
    const sandbox = await world.sandbox();
    const refused = sandbox.maintain(request(changes));
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expectNothingLeft(world);
    expect(world.journal).toEqual(['release']);
  });

  it.each([
    ['17.000000001', true],
    ['17.000000002', false],
  ])('is of the disk that was copied (changed %s)', async (changed, isCopied) => {
    const world = new FakeWorld(FORMATTED);
    const asked: string[] = [];
    world.host.system.run = async ({ file, args }) => {
      asked.push([file, ...args].join(' '));
      return { exitCode: 0, stdout: new TextEncoder().encode(`${changed}\n`), stderr: new Uint8Array() };
    };
    world.guest.agent = { checkVolume: async () => ({ isClean: true, words: '' }) };
    const sandbox = await world.sandbox();
    const maintained = sandbox.maintain(request({ repair: 'full', unchangedSince: '17.000000001' }));
    if (isCopied) await maintained;
    else
      await expect(maintained).rejects.toMatchObject({ code: 'busy', message: expect.stringMatching(/was written/) });
    expect(asked).toEqual(['stat --format=%.9Z -- /pool/volumes/data/image.raw']);
    expect(world.journal.includes('checkVolume')).toBe(isCopied);
    expectNothingLeft(world);
  });

  it('of a volume that a VM has is refused with its name', async () => {
    const world = new FakeWorld(FORMATTED);
    world.leaseHeldBy = volumeLeaseRecord.encode({
      podUid: parsePodUid('web'),
      sandboxId: parseSandboxId('web-1'),
      node: '',
      takenAtMs: 1,
    });
    const sandbox = await world.sandbox();
    await expect(sandbox.maintain(request())).rejects.toThrow(/in use by pod web \(sandbox web-1\)/);
  });

  it('that is stopped meanwhile ends', async () => {
    const world = new FakeWorld(FORMATTED);
    let begun = (): void => {};
    const checking = new Promise<void>((resolve) => {
      begun = resolve;
    });
    world.guest.agent = {
      checkVolume: () => {
        begun();
        return new Promise(() => {});
      },
    };
    const sandbox = await world.sandbox();
    const maintained = sandbox.maintain(request()).catch((error: unknown) => error);
    await checking;
    await sandbox.stop(1_000);
    expect(await maintained).toMatchObject({ code: 'precondition', message: 'sandbox pod was stopped' });
    expectNothingLeft(world);
  });
});
