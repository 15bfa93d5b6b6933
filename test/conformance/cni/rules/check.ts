import { describeCall } from '../called.ts';
import type { CniResult } from '../result-shape.ts';
import { notApplicable, type Rule, SPEC } from '../rule.ts';
import type { Pod, Subject } from '../subject.ts';
import { isAtLeast } from '../versions.ts';

/** `damage` answers undefined where there is nothing to damage. */
const damaged = (
  id: string,
  title: string,
  damage: (subject: Subject, pod: Pod, result: CniResult) => Promise<string | undefined>,
): Rule => ({
  id,
  level: 'should',
  title,
  source: SPEC.check,
  async check(subject) {
    if (!isAtLeast(subject.latest, '0.4.0')) return notApplicable('no version that is looked at has CHECK');
    const pod = await subject.addPod();
    const result = await pod.add();
    await pod.expect('CHECK');
    const what = await damage(subject, pod, result);
    if (what === undefined) return notApplicable('the plugin makes no such thing');
    const called = await pod.call('CHECK');
    await pod.call('DEL');
    return called.exitCode === 0 ? [`CHECK succeeds though ${what}`] : [];
  },
});

/** Interfaces in the pod that the plugin itself has made. */
function ownInterfaces(subject: Subject, pod: Pod, { interfaces = [] }: CniResult): string[] {
  const before = ((pod.prevResult ?? {}) as CniResult).interfaces ?? [];
  const own = interfaces.slice(before.length).filter(({ sandbox }) => sandbox === pod.netns);
  return own.map(({ name }) => name).filter((name) => !subject.isChained || name !== subject.options.ifName);
}

export const CHECK_RULES: readonly Rule[] = [
  {
    id: 'check-after-add',
    level: 'must',
    title: 'CHECK succeeds right after ADD, prints nothing and changes nothing, in each version that has it',
    source: SPEC.check,
    async check(subject) {
      const versions = subject.versions.filter((version) => isAtLeast(version, '0.4.0'));
      if (versions.length === 0) return notApplicable('no version that is looked at has CHECK');
      const problems: string[] = [];
      for (const version of versions) {
        const pod = await subject.addPod(version);
        await pod.add();
        const before = await pod.state();
        await pod.expect('CHECK');
        const after = await pod.state();
        if (JSON.stringify(before) !== JSON.stringify(after)) problems.push(`in ${version}: CHECK changes something`);
        await pod.expect('DEL');
      }
      return problems;
    },
  },
  {
    id: 'check-without-prevresult',
    level: 'must',
    title: 'CHECK without prevResult is refused',
    source: SPEC.check,
    async check(subject) {
      if (!isAtLeast(subject.latest, '0.4.0')) return notApplicable('no version that is looked at has CHECK');
      const pod = await subject.addPod();
      await pod.add();
      const called = await pod.call('CHECK', { config: { prevResult: undefined } });
      await pod.expect('DEL');
      return called.exitCode === 0 ? ['CHECK succeeds'] : [];
    },
  },
  {
    id: 'check-after-del',
    level: 'should',
    title: 'CHECK fails after DEL',
    source: SPEC.check,
    async check(subject) {
      if (!isAtLeast(subject.latest, '0.4.0')) return notApplicable('no version that is looked at has CHECK');
      const pod = await subject.addPod();
      await pod.add();
      await pod.expect('DEL');
      const called = await pod.call('CHECK');
      return called.exitCode === 0 ? ['CHECK succeeds'] : [];
    },
  },
  damaged(
    'check-own-interface',
    'CHECK fails when an interface that the plugin made is gone',
    async (subject, pod, result) => {
      const [name] = ownInterfaces(subject, pod, result);
      if (name === undefined) return undefined;
      await pod.run('ip', 'link', 'delete', name);
      return `${name} is gone`;
    },
  ),
  damaged('check-pod-interface', 'CHECK fails when the interface of CNI_IFNAME is gone', async (subject, pod) => {
    await pod.run('ip', 'link', 'delete', subject.options.ifName);
    return `${subject.options.ifName} is gone`;
  }),
  damaged(
    'check-own-address',
    'CHECK fails when an address that the plugin gave is gone',
    async (subject, pod, { ips = [] }) => {
      const [ip] = ips;
      if (subject.isChained || ip === undefined) return undefined;
      await pod.run('ip', 'address', 'delete', ip.address, 'dev', subject.options.ifName);
      return `${ip.address} is gone`;
    },
  ),
  {
    id: 'check-allows-later-plugins',
    level: 'must',
    title: 'CHECK succeeds though a later plugin added to the interface: a route, an interface to the result',
    source: SPEC.check,
    async check(subject) {
      if (!isAtLeast(subject.latest, '0.4.0')) return notApplicable('no version that is looked at has CHECK');
      const pod = await subject.addPod();
      const result = await pod.add();
      await pod.run('ip', 'route', 'add', '198.51.100.0/24', 'dev', subject.options.ifName);
      await pod.run('ip', 'link', 'add', 'name', 'later0', 'type', 'bridge');
      const interfaces = [...(result.interfaces ?? []), { name: 'later0', sandbox: pod.netns }];
      const called = await pod.call('CHECK', { config: { prevResult: { ...result, interfaces } } });
      await pod.expect('DEL');
      return called.exitCode === 0 ? [] : [describeCall(called)];
    },
  },
];
