import { describeCall } from '../called.ts';
import { type NotApplicable, notApplicable, type Rule, SPEC } from '../rule.ts';
import { compareWithSettled } from '../settle.ts';
import type { Pod, Subject } from '../subject.ts';

const TOGETHER = 8;
const KILLS = 12;
const KILLED = 128 + 9;

/** What an engine gives to DEL after an ADD without an answer. */
const NO_RESULT = { config: { prevResult: undefined } };

async function addPods(subject: Subject, count: number): Promise<Pod[]> {
  const pods: Pod[] = [];
  while (pods.length < count) pods.push(await subject.addPod());
  return pods;
}

export const CONCURRENCY_RULES: readonly Rule[] = [
  {
    id: 'parallel-containers',
    level: 'must',
    title: `ADD and DEL of ${TOGETHER} containers at once succeed, with addresses of their own, and leave nothing`,
    source: SPEC.lifecycle,
    async check(subject) {
      const pods = await addPods(subject, TOGETHER);
      const [first] = pods;
      if (first === undefined) return [];
      return compareWithSettled(subject, first, async () => {
        const added = await Promise.all(pods.map((pod) => pod.call('ADD')));
        const deleted = await Promise.all(pods.map((pod) => pod.call('DEL')));
        const failed = [...added, ...deleted].filter(({ exitCode }) => exitCode !== 0).map(describeCall);
        const addresses = added.flatMap(({ answer }) => firstAddress(answer));
        const repeated = addresses.filter((address, index) => addresses.indexOf(address) !== index);
        return [...failed, ...repeated.map((address) => `${address} was given twice`)];
      });
    },
  },
  {
    id: 'add-and-del-at-once',
    level: 'must',
    title: 'ADD of some containers and DEL of others at once succeed',
    source: SPEC.lifecycle,
    async check(subject) {
      const pods = await addPods(subject, TOGETHER);
      const [coming, going] = [pods.slice(TOGETHER / 2), pods.slice(0, TOGETHER / 2)];
      for (const pod of going) await pod.add();
      const called = await Promise.all([
        ...coming.map((pod) => pod.call('ADD')),
        ...going.map((pod) => pod.call('DEL')),
      ]);
      for (const pod of coming) await pod.expect('DEL');
      return called.filter(({ exitCode }) => exitCode !== 0).map(describeCall);
    },
  },
  {
    id: 'killed-add-then-del',
    level: 'should',
    title: `after an ADD that was killed, at any of ${KILLS} moments, DEL leaves nothing`,
    source: SPEC.lifecycle,
    check: (subject) => killThen(subject, (pod) => pod.expect('DEL', NO_RESULT)),
  },
  {
    id: 'killed-add-then-add',
    level: 'should',
    title: `after an ADD that was killed, at any of ${KILLS} moments, DEL and ADD succeed, and DEL leaves nothing`,
    source: SPEC.lifecycle,
    check: (subject) =>
      killThen(subject, async (pod) => {
        await pod.expect('DEL', NO_RESULT);
        await pod.add();
        await pod.expect('DEL');
      }),
  },
];

/** Kills ADD at moments spread over the time that it takes. */
async function killThen(
  subject: Subject,
  act: (pod: Pod) => Promise<void>,
): Promise<readonly string[] | NotApplicable> {
  const pod = await subject.addPod();
  const isKilledAfter = async (killAfterMs: number): Promise<boolean> => {
    const { exitCode } = await pod.call('ADD', { killAfterMs });
    return exitCode === KILLED;
  };
  let [takesMs, kills] = [1, 0];
  while (await isKilledAfter(takesMs)) {
    await pod.expect('DEL');
    takesMs *= 2;
  }
  await pod.expect('DEL');
  const problems = await compareWithSettled(subject, pod, async () => {
    for (let moment = 1; moment <= KILLS; moment += 1) {
      if (await isKilledAfter((takesMs * moment) / KILLS)) kills += 1;
      await act(pod);
    }
    return [];
  });
  return kills === 0 ? notApplicable('ADD is too quick to be killed') : problems;
}

function firstAddress(answer: unknown): string[] {
  const { ips } = (answer ?? {}) as { ips?: readonly { readonly address?: string }[] };
  const address = ips?.[0]?.address;
  return address === undefined ? [] : [address];
}
