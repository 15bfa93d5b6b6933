import { expect, it } from 'vitest';
import { parsePodUid } from '../../proto/ids.ts';
import { requireNoForeignUse } from './foreign-use.ts';
import type { VolumeView } from './list-volumes.ts';

const publication = { podUid: parsePodUid('u1') } as VolumeView['publications'][number];
const view = (consumer: 'berth' | 'kata', publications: VolumeView['publications']): VolumeView =>
  ({ volumeId: 'pool.node.data', spec: { class: { consumer } }, publications }) as unknown as VolumeView;

it('a volume that stock Kata may have is left alone; the lease tells of all others', () => {
  expect(() => requireNoForeignUse(view('kata', [publication]))).toThrow(/published for pod u1 of stock Kata/);
  expect(() => requireNoForeignUse(view('kata', []))).not.toThrow();
  expect(() => requireNoForeignUse(view('berth', [publication]))).not.toThrow();
});
