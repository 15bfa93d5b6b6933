import { expect, it, test } from 'vitest';
import { checkGroupParameters, parseSnapshotParameters } from './snapshot-parameters.ts';

const METADATA = {
  'csi.storage.k8s.io/volumesnapshot/name': 'snap',
  'csi.storage.k8s.io/volumesnapshot/namespace': 'default',
  'csi.storage.k8s.io/volumesnapshotcontent/name': 'content',
  'csi.storage.k8s.io/volumegroupsnapshot/name': 'group',
  'csi.storage.k8s.io/volumegroupsnapshotcontent/name': 'content',
};

it.each([
  [{}, false],
  [{ allowCopy: 'false' }, false],
  [{ allowCopy: 'true', ...METADATA }, true],
])('reads %j', (parameters, allowCopy) => {
  expect(parseSnapshotParameters(parameters, 'parameters')).toEqual({ allowCopy });
});

it.each([
  [{ allowCopy: 'yes' }, 'parameters["allowCopy"] is "yes", not true or false'],
  [{ allowCopy: '' }, 'parameters["allowCopy"] is "", not true or false'],
  [{ allowcopy: 'true' }, 'parameters["allowcopy"] is unknown; this driver takes allowCopy'],
  [{ 'csi.storage.k8s.io/volumesnapshot/uid': '1' }, 'is unknown'],
])('refuses %j', (parameters, message) => {
  expect(() => parseSnapshotParameters(parameters, 'parameters')).toThrow(message);
});

test('a class of group snapshots has nothing to say', () => {
  checkGroupParameters(METADATA, 'parameters');
  expect(() => checkGroupParameters({ allowCopy: 'true' }, 'parameters')).toThrow('parameters["allowCopy"]');
});
