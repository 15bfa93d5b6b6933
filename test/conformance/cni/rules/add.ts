import { isDeepStrictEqual } from 'node:util';
import { describeCall } from '../called.ts';
import { type CniResult, findShapeProblems } from '../result-shape.ts';
import { notApplicable, type Rule, SPEC } from '../rule.ts';
import { compareWithSettled } from '../settle.ts';
import type { Pod, Subject } from '../subject.ts';

/** Each supported version, with a pod of its own. */
async function inEachVersion(subject: Subject, look: (pod: Pod) => Promise<readonly string[]>): Promise<string[]> {
  const problems: string[] = [];
  for (const version of subject.versions) {
    const found = await look(await subject.addPod(version));
    problems.push(...found.map((problem) => `in ${version}: ${problem}`));
  }
  return problems;
}

export const ADD_RULES: readonly Rule[] = [
  {
    id: 'add-result-form',
    level: 'must',
    title: 'ADD answers with a result in the form of each supported version, and with nothing else',
    source: SPEC.success,
    check: (subject) =>
      inEachVersion(subject, async (pod) => {
        const called = await pod.call('ADD');
        if (called.exitCode !== 0) return [describeCall(called)];
        if (called.answer === undefined) return [`standard output is not JSON: ${describeCall(called)}`];
        const problems = findShapeProblems(called.answer, pod.version);
        await pod.expect('DEL');
        return problems;
      }),
  },
  {
    id: 'add-names-interface',
    level: 'must',
    title: 'the result has the interface of CNI_IFNAME with the sandbox of CNI_NETNS, and it is there with that MAC',
    source: SPEC.success,
    async check(subject) {
      const pod = await subject.addPod();
      const { interfaces = [] } = await pod.add();
      const { ifName } = subject.options;
      const entry = interfaces.find(({ name, sandbox }) => name === ifName && sandbox === pod.netns);
      if (entry === undefined)
        return [`there is no interface ${ifName} of ${pod.netns} in ${JSON.stringify(interfaces)}`];
      const [link] = JSON.parse(await pod.run('ip', '-json', 'link', 'show', 'dev', ifName)) as { address: string }[];
      await pod.expect('DEL');
      return entry.mac === undefined || entry.mac === '' || entry.mac === link?.address
        ? []
        : [`the MAC of ${ifName} is ${link?.address}, but the result says ${entry.mac}`];
    },
  },
  {
    id: 'add-addresses-are-there',
    level: 'must',
    title: 'an address that the result gives the interface of CNI_IFNAME is on it',
    source: SPEC.success,
    async check(subject) {
      const pod = await subject.addPod();
      const { interfaces = [], ips = [] } = await pod.add();
      const { ifName } = subject.options;
      const expected = ips
        .filter((ip) => interfaces[ip.interface ?? -1]?.name === ifName && interfaces[ip.interface ?? -1]?.sandbox)
        .map(({ address }) => address);
      const [link] = JSON.parse(await pod.run('ip', '-json', 'address', 'show', 'dev', ifName)) as {
        addr_info: { local: string; prefixlen: number }[];
      }[];
      const found = (link?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`);
      await pod.expect('DEL');
      return expected
        .filter((each) => !found.includes(each))
        .map((each) => `${each} is not on ${ifName}: ${found.join(', ')}`);
    },
  },
  {
    id: 'add-keeps-prevresult',
    level: 'must',
    title: 'the result of a chained plugin holds all of prevResult, interfaces at their indexes',
    source: SPEC.add,
    async check(subject) {
      if (!subject.isChained) return notApplicable('the plugin is the first of its chain');
      return inEachVersion(subject, async (pod) => {
        const result = await pod.add();
        await pod.expect('DEL');
        return findLost(pod.prevResult as CniResult, result);
      });
    },
  },
  {
    id: 'add-existing-interface',
    level: 'must',
    title: 'ADD of an interface name that is taken in the namespace fails, and leaves the interface',
    source: SPEC.add,
    async check(subject) {
      if (subject.isChained) return notApplicable('the interface of a chained plugin is there before');
      const pod = await subject.addPod();
      const { ifName } = subject.options;
      await pod.run('ip', 'link', 'add', 'name', ifName, 'type', 'bridge');
      const called = await pod.call('ADD');
      const links = await pod.run('ip', '-oneline', 'link', 'show', 'type', 'bridge');
      return [
        ...(called.exitCode === 0 ? ['ADD succeeds'] : []),
        ...(links.includes(`: ${ifName}:`) ? [] : [`${ifName} is gone`]),
      ];
    },
  },
  {
    id: 'add-missing-interface',
    level: 'must',
    title: 'ADD of a chained plugin fails where there is no interface of CNI_IFNAME, and leaves nothing',
    source: SPEC.add,
    async check(subject) {
      if (!subject.isChained) return notApplicable('the plugin makes the interface');
      const pod = await subject.addPod();
      await pod.run('ip', 'link', 'delete', subject.options.ifName);
      return compareWithSettled(subject, pod, async () =>
        (await pod.call('ADD')).exitCode === 0 ? ['ADD succeeds'] : [],
      );
    },
  },
  {
    id: 'add-after-del',
    level: 'must',
    title: 'a container can be added again after DEL',
    source: SPEC.lifecycle,
    async check(subject) {
      const pod = await subject.addPod();
      for (let round = 0; round < 2; round += 1) {
        await pod.add();
        await pod.expect('DEL');
      }
      return [];
    },
  },
];

/** An entry may have more keys than before; interfaces may have another MAC. */
function findLost(before: CniResult, after: CniResult): string[] {
  const problems: string[] = [];
  for (const [index, { name, sandbox }] of (before.interfaces ?? []).entries()) {
    const found = after.interfaces?.[index];
    if (found?.name === name && (found.sandbox ?? '') === (sandbox ?? '')) continue;
    problems.push(`interface ${index} was ${name} and is ${found?.name ?? 'gone'}`);
  }
  const isKept = (each: unknown, others: readonly unknown[] = []): boolean =>
    others.some((other) => isDeepStrictEqual(each, other));
  for (const ip of before.ips ?? []) if (!isKept(ip, after.ips)) problems.push(`the address ${ip.address} is lost`);
  for (const route of before.routes ?? []) {
    if (!isKept(route, after.routes)) problems.push(`the route ${JSON.stringify(route)} is lost`);
  }
  const [dns, expected] = [after.dns ?? {}, before.dns ?? {}];
  if (!isDeepStrictEqual(dns, expected))
    problems.push(`dns was ${JSON.stringify(expected)} and is ${JSON.stringify(dns)}`);
  return problems;
}
