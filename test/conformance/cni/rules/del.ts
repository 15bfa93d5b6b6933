import { describeCall } from '../called.ts';
import { type Rule, SPEC } from '../rule.ts';
import { compareWithSettled, findLeftOnNode } from '../settle.ts';
import type { CallChange, Pod, Subject } from '../subject.ts';

/** ADD, something else, and what DEL then has left. */
async function afterDel(
  subject: Subject,
  pod: Pod,
  change: CallChange,
  between: () => Promise<unknown> = async () => {},
): Promise<string[]> {
  return compareWithSettled(subject, pod, async () => {
    await pod.add();
    await between();
    await pod.expect('DEL', change);
    return [];
  });
}

const WITHOUT = {
  'del-without-prevresult': {
    title: 'DEL without prevResult succeeds and leaves nothing',
    change: { config: { prevResult: undefined } },
  },
  'del-without-netns': {
    title: 'DEL without CNI_NETNS succeeds',
    change: { env: { CNI_NETNS: undefined } },
  },
  'del-netns-file-gone': {
    title: 'DEL with a CNI_NETNS that is not there succeeds',
    change: { env: { CNI_NETNS: '/run/netns/none' } },
  },
} as const satisfies Record<string, { title: string; change: CallChange }>;

export const DEL_RULES: readonly Rule[] = [
  {
    id: 'del-leaves-nothing',
    level: 'must',
    title: 'DEL leaves nothing of ADD: links, addresses, routes, neighbours, rules, qdiscs, filters, tables, files',
    source: SPEC.del,
    async check(subject) {
      const problems: string[] = [];
      for (const version of subject.versions) {
        const pod = await subject.addPod(version);
        problems.push(...(await afterDel(subject, pod, {})).map((problem) => `in ${version}: ${problem}`));
      }
      return problems;
    },
  },
  {
    id: 'del-twice',
    level: 'must',
    title: 'DEL can be repeated',
    source: SPEC.del,
    async check(subject) {
      const pod = await subject.addPod();
      return afterDel(subject, pod, {}, () => pod.expect('DEL'));
    },
  },
  {
    id: 'del-without-prevresult',
    level: 'must',
    title: WITHOUT['del-without-prevresult'].title,
    source: SPEC.del,
    check: async (subject) => afterDel(subject, await subject.addPod(), WITHOUT['del-without-prevresult'].change),
  },
  ...(['del-without-netns', 'del-netns-file-gone'] as const).map(
    (id): Rule => ({
      id,
      level: 'must',
      title: WITHOUT[id].title,
      source: SPEC.del,
      async check(subject) {
        const pod = await subject.addPod();
        await pod.add();
        await pod.expect('DEL', WITHOUT[id].change);
        return [];
      },
    }),
  ),
  {
    id: 'del-netns-deleted',
    level: 'must',
    title: 'DEL of a container whose namespace was deleted succeeds and leaves nothing on the node',
    source: SPEC.del,
    async check(subject) {
      const pod = await subject.addPod();
      const before = await pod.state();
      await pod.add();
      await pod.removeNetns();
      await pod.expect('DEL');
      return findLeftOnNode(pod, before);
    },
  },
  {
    id: 'del-never-added',
    level: 'must',
    title: 'DEL of a container that was never added succeeds and changes nothing',
    source: SPEC.del,
    async check(subject) {
      const pod = await subject.addPod();
      return compareWithSettled(subject, pod, async () => {
        await pod.expect('DEL');
        await pod.expect('DEL', { config: { prevResult: undefined } });
        return [];
      });
    },
  },
  {
    id: 'del-interface-gone',
    level: 'must',
    title: 'DEL succeeds though the interface was removed before',
    source: SPEC.del,
    async check(subject) {
      const pod = await subject.addPod();
      await pod.add();
      await pod.run('ip', 'link', 'delete', subject.options.ifName);
      await pod.expect('DEL');
      return [];
    },
  },
  {
    id: 'del-of-another',
    level: 'must',
    title: 'DEL of one container leaves another as it is',
    source: SPEC.lifecycle,
    async check(subject) {
      const [pod, other] = [await subject.addPod(), await subject.addPod()];
      await pod.add();
      await other.add();
      const before = await pod.state();
      await other.expect('DEL');
      const after = await pod.state();
      await pod.expect('DEL');
      const isSame = JSON.stringify([before.pod, before.files]) === JSON.stringify([after.pod, after.files]);
      return isSame ? [] : ['the state of the first container has changed'];
    },
  },
  {
    id: 'del-after-failed-add',
    level: 'must',
    title: 'DEL after an ADD that failed succeeds',
    source: SPEC.lifecycle,
    async check(subject) {
      const pod = await subject.idlePod();
      const change = { env: { CNI_NETNS: '/run/netns/none' } };
      await pod.call('ADD', change);
      const called = await pod.call('DEL', change);
      return called.exitCode === 0 ? [] : [describeCall(called)];
    },
  },
];
