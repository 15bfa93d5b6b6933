import { findRefusalProblems } from '../refusal.ts';
import { notApplicable, type Rule, SPEC } from '../rule.ts';
import type { Subject, Verb } from '../subject.ts';
import { isAtLeast } from '../versions.ts';

/** Environment variables without which a verb cannot be done. */
const REQUIRED = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
} as const;

const INVALID = {
  CNI_CONTAINERID: ['-begins-with-a-hyphen', 'has/slash', 'has space', '../escape'],
  CNI_IFNAME: ['sixteen-letters-', '.', '..', 'has/slash', 'has:colon', 'has space'],
} as const;

const canCheck = ({ latest }: Subject): boolean => isAtLeast(latest, '0.4.0');

const missing: readonly Rule[] = (Object.keys(REQUIRED) as (keyof typeof REQUIRED)[]).flatMap((verb) =>
  REQUIRED[verb].map((name) => ({
    id: `${verb.toLowerCase()}-without-${name.toLowerCase().replace('_', '-')}`,
    level: 'must' as const,
    title: `${verb} without ${name}, or with an empty one, is refused with code 4, naming it`,
    source: `${SPEC.parameters}; ${SPEC.error}`,
    async check(subject) {
      if (verb === 'CHECK' && !canCheck(subject)) return notApplicable('no version that is looked at has CHECK');
      const pod = await subject.idlePod();
      const refusal = { codes: [4], named: name };
      return [
        ...(await findRefusalProblems(pod, verb, { env: { [name]: undefined } }, refusal)),
        ...(await findRefusalProblems(pod, verb, { env: { [name]: '' } }, refusal)),
      ];
    },
  })),
);

const invalid: readonly Rule[] = (Object.keys(INVALID) as (keyof typeof INVALID)[]).map((name) => ({
  id: `invalid-${name.toLowerCase().replace('_', '-')}`,
  level: 'must',
  title: `an invalid ${name} is refused with code 4, naming it`,
  source: `${SPEC.parameters}; ${SPEC.error}`,
  async check(subject) {
    const pod = await subject.idlePod();
    const verbs: Verb[] = ['ADD', 'DEL', ...(canCheck(subject) ? (['CHECK'] as const) : [])];
    const problems: string[] = [];
    for (const verb of verbs) {
      for (const value of INVALID[name]) {
        const found = await findRefusalProblems(pod, verb, { env: { [name]: value } }, { codes: [4], named: name });
        problems.push(...found.map((problem) => `${name}=${value}: ${problem}`));
      }
    }
    return problems;
  },
}));

export const ENVIRONMENT_RULES: readonly Rule[] = [
  ...missing,
  ...invalid,
  {
    id: 'unknown-command',
    level: 'must',
    title: 'a CNI_COMMAND that there is not is refused with code 4, naming it',
    source: SPEC.error,
    async check(subject) {
      const pod = await subject.idlePod();
      const problems: string[] = [];
      for (const command of ['UPDATE', 'add']) {
        const change = { env: { CNI_COMMAND: command } };
        problems.push(...(await findRefusalProblems(pod, 'DEL', change, { codes: [4], named: 'CNI_COMMAND' })));
      }
      return problems;
    },
  },
  {
    id: 'no-command',
    level: 'should',
    title: 'without CNI_COMMAND a plugin fails with code 4, naming it',
    source: SPEC.error,
    check: async (subject) =>
      findRefusalProblems(
        await subject.idlePod(),
        'DEL',
        { env: { CNI_COMMAND: undefined } },
        { codes: [4], named: 'CNI_COMMAND' },
      ),
  },
  {
    id: 'netns-that-is-not',
    level: 'must',
    title: 'ADD into a namespace that is not there fails, and leaves nothing',
    source: SPEC.add,
    async check(subject) {
      const pod = await subject.idlePod();
      const before = await pod.state();
      const problems = await findRefusalProblems(pod, 'ADD', { env: { CNI_NETNS: '/run/netns/none' } }, {});
      const { files } = await pod.state();
      return [...problems, ...files.filter((path) => !before.files.includes(path)).map((path) => `${path} is left`)];
    },
  },
  {
    id: 'args-of-engines',
    level: 'practice',
    title: 'CNI_ARGS with IgnoreUnknown=1 and keys of others, as containerd and CRI-O send, are accepted',
    source: SPEC.arguments,
    async check(subject) {
      const pod = await subject.addPod();
      const args = {
        IgnoreUnknown: '1',
        K8S_POD_NAMESPACE: 'default',
        K8S_POD_NAME: 'web-0',
        K8S_POD_INFRA_CONTAINER_ID: pod.containerId,
        K8S_POD_UID: '0b5c1a9e-7d46-4f0c-9d8b-2f4f1c7f2a31',
      };
      const pairs = Object.entries(args).map(([key, value]) => `${key}=${value}`);
      const env = { CNI_ARGS: pairs.join(';') };
      await pod.add({ env });
      await pod.expect('DEL', { env });
      return [];
    },
  },
];
