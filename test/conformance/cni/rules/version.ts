import { describeCall } from '../called.ts';
import { type Rule, SPEC } from '../rule.ts';
import type { CallChange, Pod } from '../subject.ts';

const BARE = { CNI_CONTAINERID: undefined, CNI_NETNS: undefined, CNI_IFNAME: undefined, CNI_PATH: undefined };

const ask = async (pod: Pod, change: CallChange): Promise<Readonly<Record<string, unknown>>> => {
  const called = await pod.call('VERSION', { env: BARE, ...change });
  if (called.exitCode === 0 && typeof called.answer === 'object' && called.answer !== null) return { ...called.answer };
  return { problem: `VERSION: ${describeCall(called)}` };
};

export const VERSION_RULES: readonly Rule[] = [
  {
    id: 'version-lists',
    level: 'must',
    title: 'VERSION answers with cniVersion and the list supportedVersions, needing no variable but CNI_COMMAND',
    source: SPEC.version,
    needsVersions: false,
    async check(subject) {
      const { problem, cniVersion, supportedVersions } = await ask(await subject.idlePod(), {});
      if (problem !== undefined) return [String(problem)];
      const isList = Array.isArray(supportedVersions) && supportedVersions.length > 0;
      return [
        ...(typeof cniVersion === 'string' ? [] : ['cniVersion is missing']),
        ...(isList && supportedVersions.every((each) => /^\d+\.\d+\.\d+$/.test(String(each)))
          ? []
          : [`supportedVersions is ${JSON.stringify(supportedVersions) ?? 'missing'}`]),
      ];
    },
  },
  {
    id: 'version-echoes',
    level: 'must',
    title: 'VERSION answers under the cniVersion that it was asked in',
    source: SPEC.version,
    async check(subject) {
      const pod = await subject.idlePod();
      const problems: string[] = [];
      for (const version of subject.listed) {
        const { problem, cniVersion } = await ask(pod, { stdin: JSON.stringify({ cniVersion: version }) });
        if (problem !== undefined) problems.push(String(problem));
        else if (cniVersion !== version) problems.push(`asked in ${version}, it answers in ${String(cniVersion)}`);
      }
      return problems;
    },
  },
  {
    id: 'version-without-input',
    level: 'practice',
    title: 'VERSION can be asked with nothing on standard input',
    source: 'libcni, pkg/skel',
    needsVersions: false,
    async check(subject) {
      const { problem } = await ask(await subject.idlePod(), { stdin: '' });
      return problem === undefined ? [] : [String(problem)];
    },
  },
  {
    id: 'version-is-true',
    level: 'must',
    title: 'each version of the list is accepted',
    source: SPEC.version,
    async check(subject) {
      const problems: string[] = [];
      for (const version of subject.listed) {
        const called = await (await subject.idlePod()).call('DEL', { version, config: { prevResult: undefined } });
        if (called.exitCode !== 0) problems.push(`DEL in ${version}: ${describeCall(called)}`);
      }
      return problems;
    },
  },
];
