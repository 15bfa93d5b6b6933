import { describeCall } from '../called.ts';
import { notApplicable, type Rule, SPEC } from '../rule.ts';
import { isAtLeast } from '../versions.ts';

export const STATUS_RULES: readonly Rule[] = [
  {
    id: 'status-is-ready',
    level: 'must',
    title: 'STATUS of a plugin whose ADD succeeds here succeeds and prints nothing',
    source: SPEC.status,
    async check(subject) {
      if (!isAtLeast(subject.latest, '1.1.0')) return notApplicable('no version that is looked at has STATUS');
      const pod = await subject.addPod();
      await pod.add();
      await pod.expect('DEL');
      const called = await pod.call('STATUS');
      if (called.exitCode !== 0) return [describeCall(called)];
      return called.stdout === '' ? [] : [`STATUS prints ${called.stdout.trim()}`];
    },
  },
  {
    id: 'status-changes-nothing',
    level: 'must',
    title: 'STATUS changes nothing',
    source: SPEC.status,
    async check(subject) {
      if (!isAtLeast(subject.latest, '1.1.0')) return notApplicable('no version that is looked at has STATUS');
      const pod = await subject.idlePod();
      const before = JSON.stringify(await pod.state());
      await pod.call('STATUS');
      return JSON.stringify(await pod.state()) === before ? [] : ['STATUS changes something'];
    },
  },
];
