import { expect, it } from 'vitest';
import { findPodId } from './processes.ts';

it.each([
  [['/dev/null', '/run/berth/pods/p1/vmm.log', '/run/berth/pods/p1/console.log'], 'p1'],
  [['/run/berth/pods/p1/vmm.log (deleted)'], 'p1'],
  [['/run/berth/podsx/p1/k', 'socket:[7]'], undefined],
  [[], undefined],
])('the pod of a process with %j open', (paths, podId) => {
  expect(findPodId(paths, '/run/berth/pods')).toBe(podId);
});
