import { expect, it } from 'vitest';
import { parseVolumeId } from '../proto/ids.ts';
import type { VolumeSpec } from '../proto/volume-spec.ts';
import type { Pool } from './pool/port.ts';
import { Volumes } from './volumes.ts';

const KEY = '0123456789ab';

/** What Volumes looks at: a pool's volumes, in the order of ids. */
function poolOf(name: string, volumeNames: readonly string[]): Pool & { readonly looks: () => number } {
  let looks = 0;
  const specs = [...volumeNames].sort().map((volume) => ({
    volumeId: parseVolumeId(`${name}.${KEY}.${volume}`),
    isEphemeral: volume.startsWith('csi-'),
  }));
  const counted = new Proxy(specs as VolumeSpec[], {
    get(target, key, receiver) {
      if (typeof key === 'string' && /^\d+$/.test(key)) looks += 1;
      return Reflect.get(target, key, receiver);
    },
  });
  return { name, volumes: () => counted, looks: () => looks } as unknown as Pool & { readonly looks: () => number };
}

const namesOf = ({ page }: ReturnType<Volumes['page']>): string[] => page.map(({ spec }) => spec.volumeId);

it('lists in the order of ids, whatever the order of pools', () => {
  const volumes = new Volumes(KEY, [poolOf('a', ['y', 'x']), poolOf('a-b', ['z', 'csi-1'])]);
  const ids = namesOf(volumes.page('', 9));
  expect(ids).toEqual([`a-b.${KEY}.z`, `a.${KEY}.x`, `a.${KEY}.y`]);
  expect(ids).toEqual([...ids].sort());
});

it('goes on after an id that is gone, and says whether there is more', () => {
  const volumes = new Volumes(KEY, [poolOf('a', ['1', '2', '3', '5'])]);
  expect(volumes.page('', 4)).toMatchObject({ hasMore: false });
  const first = volumes.page('', 2);
  expect([namesOf(first), first.hasMore]).toEqual([[`a.${KEY}.1`, `a.${KEY}.2`], true]);
  expect(namesOf(volumes.page(`a.${KEY}.4`, 2))).toEqual([`a.${KEY}.5`]);
  expect(volumes.page(`b.${KEY}.1`, 2)).toEqual({ page: [], hasMore: false });
});

it('looks at few of many volumes for a page', () => {
  const pool = poolOf(
    'a',
    Array.from({ length: 10_000 }, (_, index) => `v${String(index).padStart(5, '0')}`),
  );
  const page = new Volumes(KEY, [pool]).page(`a.${KEY}.v05000`, 10);
  expect(namesOf(page)[0]).toBe(`a.${KEY}.v05001`);
  expect(pool.looks()).toBeLessThan(40);
});

it('lists nothing that its verbs would say is elsewhere', () => {
  const { volumes: ofOther } = poolOf('a', ['x']);
  const pool = { ...poolOf('b', []), volumes: ofOther, snapshots: () => [] } as unknown as Pool;
  const volumes = new Volumes(KEY, [pool]);
  expect(volumes.page('', 9).page).toEqual([]);
  expect(volumes.strangersIn(pool)).toEqual([`a.${KEY}.x`]);
});
