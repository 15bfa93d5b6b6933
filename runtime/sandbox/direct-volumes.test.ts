import { describe, expect, it } from 'vitest';
import { readDirectVolumes, toBase64Url } from './direct-volumes.ts';
import { FakeWorld } from './testing/fake-world.ts';

const TARGET = '/var/lib/kubelet/pods/u/volumes/kubernetes.io~csi/pvc/mount';
const ROOT = '/kata';
const encode = (text: string) => new TextEncoder().encode(text);

function read(text: string, files: readonly string[] = ['/dev/sdx']) {
  const world = new FakeWorld();
  for (const file of files) world.files.set(file, '');
  world.files.set(`${ROOT}/${Buffer.from(TARGET).toString('base64url')}/mountInfo.json`, text);
  const padded = [...world.files].find(([path]) => path.startsWith(ROOT));
  // Kata's names are padded.
  if (padded !== undefined) world.files.set(`${ROOT}/${toBase64Url(encode(TARGET))}/mountInfo.json`, padded[1]);
  return readDirectVolumes(world.host, ROOT, ['/elsewhere', TARGET]);
}

describe('volumes that other drivers left for Kata', () => {
  it.each(['', 'a', 'ab', 'abc', '\u00ff?>~', TARGET])('have names in base64url with padding: %j', (text) => {
    const expected = Buffer.from(text).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
    expect(toBase64Url(encode(text))).toBe(expected);
  });

  it('are found by their target path, with what Go leaves out', async () => {
    const found = await read('{"volume-type":"directvol","device":"/dev/sdx","fstype":"ext4","options":null}');
    expect([...found]).toEqual([
      [TARGET, { device: '/dev/sdx', deviceKind: 'block', fsType: 'ext4', options: [], metadata: {} }],
    ]);
  });

  it('say what is not there', async () => {
    const found = await read('{"device":"/dev/gone","fstype":"xfs","metadata":{"fsGroup":"7"},"options":["ro"]}');
    expect(found.get(TARGET)).toEqual({
      device: '/dev/gone',
      deviceKind: 'absent',
      fsType: 'xfs',
      options: ['ro'],
      metadata: { fsGroup: '7' },
    });
  });

  it.each([
    ['{', 'malformed'],
    ['{"device":"sdx","fstype":"ext4"}', 'malformed'],
    ['{"device":"/dev/sdx"}', 'malformed'],
  ])('are refused as %s', async (text, code) => {
    await expect(read(text)).rejects.toMatchObject({ code });
  });

  it("are not taken for berth's own, which have a lease", async () => {
    const own = '{"device":"/pool/volumes/x/image.raw","fstype":"ext4"}';
    await expect(read(own, ['/pool/volumes/x/image.raw', '/pool/volumes/x/lease'])).rejects.toThrow(
      /of a volume of berth that is not published there/,
    );
  });
});
