export interface PerformanceParts {
  readonly introduction: string;
  /** Descriptions of the machines that measured. */
  readonly machines: readonly string[];
  /** One of each experiment, which begins with its title: `## title`. */
  readonly sections: readonly string[];
}

const MACHINE = 'Measured on:\n';
const SECTION = /^(?=## )/m;

/** The document with these parts in place of their former ones, in the order that it had; new ones come last. */
export function mergePerformance(before: string, { introduction, machines, sections }: PerformanceParts): string {
  const [preamble = '', ...former] = before === '' ? [] : before.split(SECTION);
  const byTitle = new Map([...former, ...sections].map((section) => [titleOf(section), section.trim()]));
  const all = [...new Set([...machinesIn(preamble), ...machines])].map((machine) => `${MACHINE}${machine}`);
  return `${[introduction, ...all, ...byTitle.values()].join('\n\n')}\n`;
}

const titleOf = (section: string): string => section.split('\n')[0] ?? '';

function machinesIn(preamble: string): string[] {
  const paragraphs = preamble.split('\n\n').filter((paragraph) => paragraph.startsWith(MACHINE));
  return paragraphs.map((paragraph) => paragraph.slice(MACHINE.length).trim());
}
