import { describeCall } from '../called.ts';
import { findErrorShapeProblems, findRefusalProblems } from '../refusal.ts';
import { notApplicable, type Rule, SPEC } from '../rule.ts';
import { compareWithSettled } from '../settle.ts';
import { type CallChange, NETWORK } from '../subject.ts';
import { isAtLeast } from '../versions.ts';

const INVALID_CONFIG = [7];
const UNDECODABLE = [6];

interface BadInput {
  readonly id: string;
  readonly title: string;
  readonly changes: Readonly<Record<string, CallChange>>;
  readonly codes: readonly number[];
}

const BAD_INPUTS: readonly BadInput[] = [
  {
    id: 'input-not-json',
    title: 'a configuration that is not JSON is refused with code 6',
    changes: {
      nothing: { stdin: '' },
      'half an object': { stdin: '{"cniVersion": "1.0.0", "name": ' },
      'a word': { stdin: 'name' },
      'two objects': { stdin: '{} {}' },
    },
    codes: UNDECODABLE,
  },
  {
    id: 'input-no-object',
    title: 'a configuration that is no JSON object is refused with code 6',
    changes: { 'a list': { stdin: '[]' }, 'a text': { stdin: '"name"' }, 'a number': { stdin: '7' } },
    codes: UNDECODABLE,
  },
  {
    id: 'name-missing',
    title: 'a configuration without a name is refused with code 7',
    changes: { 'no name': { config: { name: undefined } }, 'an empty name': { config: { name: '' } } },
    codes: INVALID_CONFIG,
  },
  {
    id: 'name-invalid',
    title: 'a network name that is none is refused with code 7',
    changes: {
      '-hyphen': { config: { name: '-hyphen' } },
      'a/slash': { config: { name: 'a/slash' } },
      'a space': { config: { name: 'a space' } },
      '..': { config: { name: '..' } },
    },
    codes: INVALID_CONFIG,
  },
  {
    id: 'name-no-text',
    title: 'a network name that is no text is refused with code 6 or 7',
    changes: { 'a number': { config: { name: 7 } } },
    codes: [...UNDECODABLE, ...INVALID_CONFIG],
  },
  {
    id: 'cniversion-unsupported',
    title: 'a cniVersion that the plugin does not list is refused with code 1',
    changes: { '9.9.9': { version: '9.9.9' }, '0.0.1': { version: '0.0.1' } },
    codes: [1],
  },
  {
    id: 'cniversion-malformed',
    title: 'a cniVersion that is none is refused with code 1, 6 or 7',
    changes: { 'a word': { version: 'newest' }, 'a number': { config: { cniVersion: 1 } } },
    codes: [1, ...UNDECODABLE, ...INVALID_CONFIG],
  },
];

export const INPUT_RULES: readonly Rule[] = [
  ...BAD_INPUTS.map(
    ({ id, title, changes, codes }): Rule => ({
      id,
      title: `${title}, by ADD and by DEL`,
      level: 'must',
      source: `${SPEC.config}; ${SPEC.error}`,
      async check(subject) {
        const pod = await subject.idlePod();
        const problems: string[] = [];
        for (const verb of ['ADD', 'DEL'] as const) {
          for (const [what, change] of Object.entries(changes)) {
            const found = await findRefusalProblems(pod, verb, change, { codes });
            problems.push(...found.map((problem) => `${what}: ${problem}`));
          }
        }
        return problems;
      },
    }),
  ),
  {
    id: 'error-form',
    level: 'must',
    title: 'an error is one JSON object on standard output with cniVersion, code and msg, in each version',
    source: SPEC.error,
    async check(subject) {
      const pod = await subject.idlePod();
      const problems: string[] = [];
      for (const version of subject.listed) {
        const called = await pod.call('ADD', { version, env: { CNI_NETNS: '/run/netns/none' } });
        if (called.exitCode === 0) return ['ADD into a namespace that is not there succeeds'];
        problems.push(...findErrorShapeProblems(called, version).map((problem) => `in ${version}: ${problem}`));
      }
      return problems;
    },
  },
  {
    id: 'prevresult-missing',
    level: 'must',
    title: 'ADD of a chained plugin without prevResult is refused with code 7',
    source: `${SPEC.add}; ${SPEC.error}`,
    async check(subject) {
      if (!subject.isChained) return notApplicable('the plugin is the first of its chain');
      const pod = await subject.idlePod();
      return findRefusalProblems(pod, 'ADD', { config: { prevResult: undefined } }, { codes: INVALID_CONFIG });
    },
  },
  {
    id: 'prevresult-malformed',
    level: 'must',
    title: 'a prevResult that is none is refused with code 6 or 7',
    source: `${SPEC.success}; ${SPEC.error}`,
    async check(subject) {
      if (!subject.isChained) return notApplicable('the plugin is the first of its chain');
      const pod = await subject.idlePod();
      const problems: string[] = [];
      for (const prevResult of ['a text', [], { ips: 'none' }, { interfaces: [7] }]) {
        const change = { config: { prevResult } };
        const found = await findRefusalProblems(pod, 'ADD', change, { codes: [...UNDECODABLE, ...INVALID_CONFIG] });
        problems.push(...found.map((problem) => `${JSON.stringify(prevResult)}: ${problem}`));
      }
      return problems;
    },
  },
  {
    id: 'keys-of-others',
    level: 'must',
    title: 'keys of the specification and of other users pass: args, runtimeConfig, dns, cni.dev/...',
    source: SPEC.config,
    async check(subject) {
      const pod = await subject.addPod();
      const config = {
        args: { cni: {}, 'example.com': { a: 1 } },
        runtimeConfig: { aliases: ['web'] },
        dns: { nameservers: ['10.0.0.10'], search: ['example.com'] },
        'cni.dev/x': true,
        'example.com/y': [],
      };
      await pod.add({ config });
      await pod.expect('DEL', { config });
      return [];
    },
  },
  {
    id: 'verb-before-its-version',
    level: 'must',
    title: 'CHECK before 0.4.0, and GC and STATUS before 1.1.0, are refused with code 1',
    source: `${SPEC.check}; ${SPEC.gc}; ${SPEC.status}; libcni, pkg/skel`,
    async check(subject) {
      const pod = await subject.idlePod();
      const problems: string[] = [];
      for (const version of subject.listed) {
        const early = [
          ...(isAtLeast(version, '0.4.0') ? [] : (['CHECK'] as const)),
          ...(isAtLeast(version, '1.1.0') ? [] : (['GC', 'STATUS'] as const)),
        ];
        for (const verb of early) {
          const config = verb === 'GC' ? { 'cni.dev/valid-attachments': [] } : {};
          const found = await findRefusalProblems(pod, verb, { version, config }, { codes: [1] });
          problems.push(...found.map((problem) => `in ${version}: ${problem}`));
        }
      }
      return problems;
    },
  },
  {
    id: 'refused-changes-nothing',
    level: 'must',
    title: "an ADD that is refused leaves the network and the plugin's files as they were",
    source: SPEC.add,
    async check(subject) {
      const pod = await subject.addPod();
      return compareWithSettled(subject, pod, async () => {
        const changes: CallChange[] = [
          ...BAD_INPUTS.flatMap(({ changes: each }) => Object.values(each)),
          ...['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'].map((name) => ({ env: { [name]: '' } })),
        ];
        for (const change of changes) {
          const called = await pod.call('ADD', change);
          if (called.exitCode === 0)
            return [`ADD of ${NETWORK} succeeds, but must be refused: ${describeCall(called)}`];
        }
        return [];
      });
    },
  },
];
