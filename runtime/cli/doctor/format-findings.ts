import { type Finding, isTrouble } from './finding.ts';

const MARKS: Readonly<Record<Finding['status'], string>> = {
  ok: 'ok     ',
  note: 'note   ',
  missing: 'MISSING',
  orphan: 'ORPHAN ',
  repaired: 'mended ',
};

/** A paragraph for each area; below what is not well, the way out. */
export function formatFindings(findings: readonly Finding[]): string {
  const areas = [...new Set(findings.map(({ area }) => area))];
  const paragraphs = areas.map((area) => {
    const here = findings.filter((finding) => finding.area === area);
    return [area, ...here.flatMap(formatFinding)].join('\n');
  });
  return `${[...paragraphs, formatTotal(findings)].join('\n\n')}\n`;
}

function formatFinding({ status, what, mend, repair }: Finding): string[] {
  return [
    `  ${MARKS[status]}  ${what}`,
    ...(mend === undefined || status === 'repaired' ? [] : [`           do: ${mend}`]),
    ...(repair === undefined
      ? []
      : [`           ${status === 'repaired' ? 'was safe' : '--repair is safe'}: ${repair.proof}`]),
  ];
}

function formatTotal(findings: readonly Finding[]): string {
  const troubles = findings.filter(isTrouble).length;
  return troubles === 0 ? 'All is well.' : `${troubles} ${troubles === 1 ? 'thing needs' : 'things need'} attention.`;
}

/** For programs: the same, without what only this process can do. */
export function toPlain(findings: readonly Finding[]): readonly object[] {
  return findings.map(({ repair, ...finding }) => ({
    ...finding,
    ...(repair === undefined ? {} : { proof: repair.proof }),
  }));
}
