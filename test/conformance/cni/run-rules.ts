import { Fault } from '../../../proto/fault.ts';
import { Problem } from './problem.ts';
import type { Report, RuleReport } from './report.ts';
import type { Rule } from './rule.ts';
import { RULES } from './rules.ts';
import { createSubject, type Subject, type SubjectOptions } from './subject.ts';

export interface RunOptions extends SubjectOptions {
  /** Ids; undefined: all. */
  readonly only?: readonly string[];
  readonly onRule?: (report: RuleReport, tookMs: number) => void;
}

const NO_VERSIONS = 'VERSION lists no version from 0.3.0 on, so that the plugin cannot be looked at';

/** Looks at a plugin in a mount, network and PID namespace of its own. */
export async function runRules({ only, onRule = () => {}, ...options }: RunOptions): Promise<Report> {
  const unknown = only?.find((id) => RULES.every((rule) => rule.id !== id));
  if (unknown !== undefined) throw new Fault('invalid', `there is no rule ${unknown}`);
  const subject = await createSubject(options);
  try {
    const rules: RuleReport[] = [];
    for (const rule of RULES.filter(({ id }) => only === undefined || only.includes(id))) {
      const started = Date.now();
      const report = await runRule(rule, subject);
      rules.push(report);
      onRule(report, Date.now() - started);
    }
    const { listed, untested, isChained } = subject;
    return { plugin: options.plugin, supportedVersions: listed, untestedVersions: untested, isChained, rules };
  } finally {
    await subject.close();
  }
}

async function runRule(rule: Rule, subject: Subject): Promise<RuleReport> {
  const { id, level, title, source, needsVersions = true, check } = rule;
  const about = { id, level, title, source };
  // A rule that is looked at in each version would hold.
  if (needsVersions && subject.listed.length === 0) return { ...about, outcome: 'fails', notes: [NO_VERSIONS] };
  try {
    const found = await check(subject);
    if ('notApplicable' in found) return { ...about, outcome: 'not applicable', notes: [found.notApplicable] };
    return { ...about, outcome: found.length === 0 ? 'holds' : 'fails', notes: found };
  } catch (error) {
    if (error instanceof Problem) return { ...about, outcome: 'fails', notes: [error.message] };
    if (error instanceof Fault && error.code === 'timeout') {
      return { ...about, outcome: 'fails', notes: [`the plugin hangs: ${error.message}`] };
    }
    throw error;
  }
}
