import { describeCall } from '../called.ts';
import { Problem } from '../problem.ts';
import { notApplicable, type Rule, SPEC } from '../rule.ts';
import { findLeftOnNode, settle } from '../settle.ts';
import { comparePods, NETWORK, type Pod, type Subject } from '../subject.ts';
import { isAtLeast } from '../versions.ts';

const NO_GC = notApplicable('no version that is looked at has GC');
const hasGc = ({ latest }: Subject): boolean => isAtLeast(latest, '1.1.0');

/** GC of a network in which `valid` are all the attachments that an engine knows of. Throws Problem. */
async function collect(subject: Subject, caller: Pod, valid: readonly Pod[], name: string = NETWORK): Promise<void> {
  const attachments = valid.map(({ containerId }) => ({ containerID: containerId, ifname: subject.options.ifName }));
  const config = { name, prevResult: undefined, 'cni.dev/valid-attachments': attachments };
  const called = await caller.call('GC', { config });
  if (called.exitCode !== 0) throw new Problem(`GC: ${describeCall(called)}`);
  if (called.stdout !== '') throw new Problem(`GC prints, but has nothing to say: ${describeCall(called)}`);
}

async function addTwo(subject: Subject): Promise<readonly [Pod, Pod]> {
  const [first, second] = [await subject.addPod(), await subject.addPod()];
  await first.add();
  await second.add();
  return [first, second];
}

export const GC_RULES: readonly Rule[] = [
  {
    id: 'gc-keeps-valid',
    level: 'must',
    title: 'GC leaves valid attachments as they are, also when repeated',
    source: SPEC.gc,
    async check(subject) {
      if (!hasGc(subject)) return NO_GC;
      const pods = await addTwo(subject);
      const before = await Promise.all(pods.map((pod) => pod.state()));
      for (let round = 0; round < 2; round += 1) await collect(subject, pods[0], pods);
      const problems: string[] = [];
      for (const [index, state] of before.entries()) {
        const pod = pods[index];
        if (pod !== undefined) problems.push(...comparePods(state, await pod.state()));
      }
      for (const pod of pods) {
        await pod.expect('CHECK');
        await pod.expect('DEL');
      }
      return problems;
    },
  },
  {
    id: 'gc-removes-stale',
    level: 'must',
    title: 'GC removes what an attachment that is not in the list has left, its namespace being gone',
    source: SPEC.gc,
    async check(subject) {
      if (!hasGc(subject)) return NO_GC;
      await settle(subject);
      const [valid, stale] = [await subject.addPod(), await subject.addPod()];
      await valid.add();
      const before = await stale.state();
      await stale.add();
      await stale.removeNetns();
      const isTested = (await findLeftOnNode(stale, before)).length > 0;
      await collect(subject, valid, [valid]);
      const left = await findLeftOnNode(stale, before);
      await valid.expect('CHECK');
      await valid.expect('DEL');
      return isTested ? left : notApplicable('nothing of an attachment outlives its namespace');
    },
  },
  {
    id: 'gc-keeps-other-networks',
    level: 'must',
    title: 'GC of one network leaves attachments of another',
    source: SPEC.gc,
    async check(subject) {
      if (!hasGc(subject)) return NO_GC;
      const pod = await subject.addPod();
      await pod.add();
      const before = await pod.state();
      await collect(subject, pod, [], 'another-network');
      const problems = comparePods(before, await pod.state());
      await pod.expect('CHECK');
      await pod.expect('DEL');
      return problems;
    },
  },
  {
    id: 'gc-then-del-and-add',
    level: 'must',
    title: 'DEL and ADD succeed for an attachment that GC removed',
    source: SPEC.gc,
    async check(subject) {
      if (!hasGc(subject)) return NO_GC;
      const pod = await subject.addPod();
      await pod.add();
      await collect(subject, pod, []);
      await pod.expect('DEL');
      await pod.add();
      await pod.expect('DEL');
      return [];
    },
  },
  {
    id: 'gc-malformed-list',
    level: 'should',
    title: 'GC with a list that is none is refused, and removes nothing',
    source: SPEC.gc,
    async check(subject) {
      if (!hasGc(subject)) return NO_GC;
      const pod = await subject.addPod();
      await pod.add();
      const before = await pod.state();
      const problems: string[] = [];
      for (const list of ['none', [7], [{ containerID: 7 }], {}]) {
        const called = await pod.call('GC', { config: { prevResult: undefined, 'cni.dev/valid-attachments': list } });
        if (called.exitCode === 0) problems.push(`${JSON.stringify(list)} is taken for a list`);
      }
      problems.push(...comparePods(before, await pod.state()));
      await pod.expect('DEL');
      return problems;
    },
  },
];
