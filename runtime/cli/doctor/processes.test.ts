import { expect, it } from 'vitest';
import { findPodId } from './processes.ts';

it.each([
  ['/run/berth/pods/p1/vmm.log', 'p1'],
  ['/run/berth/pods/p1/vmm.log (deleted)', 'p1'],
  ['/run/berth/pods/p1/console.log', undefined],
  ['/run/berth/podsx/p1/vmm.log', undefined],
  ['socket:[7]', undefined],
  ['', undefined],
])('the pod of a VMM that writes to %j', (output, podId) => {
  expect(findPodId(output, '/run/berth/pods')).toBe(podId);
});
