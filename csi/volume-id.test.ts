import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseVolumeId } from '../proto/ids.ts';
import { splitVolumeId, toDiskSerial, toNodeKey, toVolumeId } from './volume-id.ts';

const KEY = toNodeKey('node-1');

describe('toVolumeId', () => {
  it('takes a plain name verbatim', () => {
    expect(toVolumeId('fast', KEY, 'pvc-8d1f')).toBe(`fast.${KEY}.pvc-8d1f`);
  });

  it.each(['PVC', 'a b', 'ü', 'a.b', '-a', 'x_0', 'a'.repeat(64), '../../etc'])('hashes the name %j', (name) => {
    const id = toVolumeId('fast', KEY, name);
    expect(id).toMatch(/^fast\.[0-9a-f]{12}\.x_[0-9a-f]{40}$/);
    expect(splitVolumeId(id)).toEqual({ pool: 'fast', nodeKey: KEY, name: id.slice(id.lastIndexOf('.') + 1) });
  });

  it('never gives two names one id', () => {
    const hashed = toVolumeId('fast', KEY, 'PVC');
    expect(toVolumeId('fast', KEY, hashed.slice(hashed.lastIndexOf('.') + 1))).not.toBe(hashed);
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (one, other) => {
        fc.pre(one !== other);
        return toVolumeId('fast', KEY, one) !== toVolumeId('fast', KEY, other);
      }),
    );
  });

  it('keeps within the 128 bytes of CSI', () => {
    expect(toVolumeId('p'.repeat(31), KEY, 'n'.repeat(63)).length).toBeLessThanOrEqual(128);
  });
});

describe('splitVolumeId', () => {
  it.each([
    'vol',
    'pool.name',
    `pool.${KEY}`,
    `pool.${KEY}.`,
    `pool.${KEY}.a.b`,
    `Pool.${KEY}.a`,
    'pool.0123.a',
    `pool.${KEY}.../x`,
    `pool.${KEY}.x_12`,
    '',
  ])('does not know %j', (id) => {
    expect(splitVolumeId(id)).toBeUndefined();
  });
});

it('gives disks serials of 20 characters that differ', () => {
  const serials = ['a', 'b'].map((name) => toDiskSerial(parseVolumeId(`p.${KEY}.${name}`)));
  expect(serials[0]).toMatch(/^[0-9a-f]{20}$/);
  expect(serials[0]).not.toBe(serials[1]);
});
