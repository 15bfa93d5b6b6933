import { expect, it } from 'vitest';
import { findPodId } from './processes.ts';

it.each([
  ['qemu\0-chardev\0file,id=console,path=/run/berth/pods/p1/console.log\0', 'p1'],
  ['qemu\0-kernel\0/run/berth/podsx/p1/k\0', undefined],
  ['qemu\0-drive\0file=disk.qcow2\0', undefined],
  ['', undefined],
])('the pod of %j', (commandLine, podId) => {
  expect(findPodId(commandLine, '/run/berth/pods')).toBe(podId);
});
