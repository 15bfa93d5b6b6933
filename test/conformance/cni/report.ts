import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { UntestedVersion } from './chain-versions.ts';
import type { Level } from './rule.ts';

export type Outcome = 'holds' | 'fails' | 'not applicable';

export interface RuleReport {
  readonly id: string;
  readonly level: Level;
  readonly title: string;
  readonly source: string;
  readonly outcome: Outcome;
  /** What is wrong, or why the rule is not applicable. */
  readonly notes: readonly string[];
}

/** What the suite says of one plugin. */
export interface Report {
  readonly plugin: string;
  /** From 0.3.0 on. */
  readonly supportedVersions: readonly string[];
  /** Of these, what the chain before it cannot be run in. */
  readonly untestedVersions: readonly UntestedVersion[];
  readonly isChained: boolean;
  readonly rules: readonly RuleReport[];
}

export const failedRules = ({ rules }: Report): RuleReport[] => rules.filter(({ outcome }) => outcome === 'fails');

/** `report.json` and `report.md`; answers their paths. */
export async function writeReport(report: Report, directory: string): Promise<readonly string[]> {
  await mkdir(directory, { recursive: true });
  const [json, markdown] = [join(directory, 'report.json'), join(directory, 'report.md')];
  await writeFile(json, `${JSON.stringify({ format: 1, ...report }, null, 2)}\n`);
  await writeFile(markdown, describeReport(report));
  return [json, markdown];
}

/** A sentence. */
export const describeUntested = ({ version, unknownTo }: UntestedVersion): string =>
  `Version ${version} is not looked at: ${unknownTo}, before the plugin, does not know it.`;

function describeReport(report: Report): string {
  const count = (outcome: Outcome): number => report.rules.filter((rule) => rule.outcome === outcome).length;
  const place = report.isChained ? 'chained after others' : 'first of its chain';
  const untested = report.untestedVersions.map((each) => `${describeUntested(each)}\n`).join('');
  const counts = `${count('holds')} rules hold, ${count('fails')} fail, ${count('not applicable')} are not applicable`;
  return `# CNI conformance of ${report.plugin}

Versions: ${report.supportedVersions.join(', ') || 'none from 0.3.0 on'}; ${place}.
${untested}${counts}.

| rule | level | outcome | |
|---|---|---|---|
${report.rules.map(describeRule).join('\n')}
`;
}

function describeRule({ id, level, title, source, outcome, notes }: RuleReport): string {
  const shown = notes.slice(0, 8).map((note) => `<br>${escapeCell(note)}`);
  const more = notes.length > shown.length ? `<br>and ${notes.length - shown.length} more` : '';
  const mark = outcome === 'fails' ? '**fails**' : outcome;
  return `| ${id} | ${level} | ${mark} | ${escapeCell(title)} (${source})${shown.join('')}${more} |`;
}

const escapeCell = (text: string): string =>
  text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll(/\s+/g, ' ');
