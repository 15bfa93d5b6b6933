import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findPrograms } from '../../runtime/cli/programs.ts';
import type { Called } from './cni/called.ts';
import { createSubject, type Pod, type Subject } from './cni/subject.ts';

const CONTAINERS = 200;

/** An interface as a plugin before would have made it, without the time that 200 runs of one take. */
const PREPARE = `ip -n {{containerId}} -batch - <<'END'
link add eth0 type veth peer name peer0
address add 10.88.0.2/24 dev eth0
link set peer0 up
link set eth0 up
route add default via 10.88.0.1
END`;

let subject: Subject;
const pods: Pod[] = [];
beforeAll(async () => {
  subject = await createSubject({
    plugin: join(findPrograms().cniDirectory, 'berth'),
    config: { type: 'berth' },
    before: [],
    pluginDirectories: [findPrograms().cniDirectory],
    prepare: PREPARE,
    ifName: 'eth0',
  });
  while (pods.length < CONTAINERS) pods.push(await subject.addPod());
}, 240_000);
afterAll(() => subject?.close());

const prevResultOf = ({ netns }: Pod) => ({
  cniVersion: '1.1.0',
  interfaces: [{ name: 'eth0', sandbox: netns }],
  ips: [{ address: '10.88.0.2/24', gateway: '10.88.0.1', interface: 0 }],
});

const callAll = (verb: 'ADD' | 'DEL'): Promise<Called[]> =>
  Promise.all(pods.map((pod) => pod.call(verb, { config: { prevResult: prevResultOf(pod) } })));
const failed = (called: readonly Called[]): Called[] => called.filter(({ exitCode }) => exitCode !== 0);

/** How many namespaces have which links and how many ingress qdiscs, and how many records there are. */
const LOOK = String.raw`
for pod in $(ls /run/netns); do
  echo links $(ip -n $pod -oneline link show | sed 's/^[0-9]*: \([a-z]*\)[0-9]*[@:].*/\1/' | sort) \
    qdiscs $(tc -n $pod qdisc show dev eth0 | grep -c ingress)
done | sort | uniq -c
echo records $(find /run/berth/networks -type f | wc -l)`;
const look = async (): Promise<string[]> =>
  (await subject.run('sh', '-c', LOOK))
    .trim()
    .split('\n')
    .map((line) => line.trim());

it(`${CONTAINERS} containers are added at once, and deleted at once`, { timeout: 240_000 }, async () => {
  expect(failed(await callAll('ADD'))).toEqual([]);
  expect(await look()).toEqual([`${CONTAINERS} links berth eth lo peer qdiscs 1`, `records ${CONTAINERS}`]);
  expect(failed(await callAll('DEL'))).toEqual([]);
  expect(await look()).toEqual([`${CONTAINERS} links eth lo peer qdiscs 0`, 'records 0']);
});
