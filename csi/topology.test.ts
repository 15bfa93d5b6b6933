import { expect, it } from 'vitest';
import { isAccessible, nodeTopology, TOPOLOGY_KEY } from './topology.ts';

const here = nodeTopology('n');
const there = nodeTopology('m');
const zone = { segments: { 'topology.kubernetes.io/zone': 'a', [TOPOLOGY_KEY]: 'n' } };

it.each([
  ['nothing is required', null, true],
  ['this node is required', { requisite: [here], preferred: [] }, true],
  ['this node is one of many', { requisite: [there, here], preferred: [there] }, true],
  ['another is only preferred', { requisite: [], preferred: [there] }, true],
  ['another node is required', { requisite: [there], preferred: [here] }, false],
  ['a segment of another driver is required', { requisite: [zone], preferred: [] }, false],
] as const)('when %s', (_, requirement, accessible) => {
  expect(isAccessible(requirement, 'n')).toBe(accessible);
});
