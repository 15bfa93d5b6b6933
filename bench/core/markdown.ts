import type { Machine } from './machine.ts';
import type { ExperimentResults } from './results.ts';
import type { Interval } from './statistics.ts';
import { type MeasureSummary, type Row, summarize } from './summary.ts';

const LINE_LENGTH = 120;
const HEADINGS = ['', 'min', 'median', '95 %', 'berth / it', '95 %'];

/** One experiment: how, the figures, and what is missing. */
export function formatExperiment(results: ExperimentResults): string {
  const { title, method, rounds, loadBefore, loadAfter, absent } = results;
  return [
    `## ${title}`,
    wrap(method),
    ...summarize(results).map(formatMeasure),
    ...absent.map(({ name, reason }) => wrap(`${name}: ${reason}.`)),
    `${rounds} rounds; load average ${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after.`,
  ].join('\n\n');
}

export function formatMachine(machine: Machine): string {
  const { processor, cores, memoryMib, kernel, isVirtual, qemu, node } = machine;
  const kind = isVirtual ? 'a virtual machine' : 'hardware';
  return wrap(`${processor}, ${cores} cores, ${memoryMib} MiB, ${kind}; Linux ${kernel}; ${qemu}; Node ${node}.`);
}

/** A paragraph in lines of at most LINE_LENGTH characters, where its words let it. */
function wrap(paragraph: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of paragraph.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > LINE_LENGTH) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join('\n');
}

/** A table of GitHub's Markdown with aligned columns, which reads as well in a terminal. */
function formatMeasure({ title, unit, rows }: MeasureSummary): string {
  const cells = [[`${title}, ${unit}`, ...HEADINGS.slice(1)], ...rows.map(toCells)];
  const widths = HEADINGS.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  const format = (row: readonly string[]) =>
    `| ${row.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join(' | ')} |`;
  const [head = [], ...body] = cells;
  return [format(head), format(rule), ...body.map(format)].join('\n');
}

function toCells({ name, minimum, measured }: Row): string[] {
  if (measured === undefined) return [name, figure(minimum), '', '', '', ''];
  const { ratio } = measured;
  return [
    name,
    figure(minimum),
    figure(measured.median),
    range(measured.interval),
    ratio === undefined ? '' : figure(ratio.value),
    ratio === undefined ? '' : range(ratio.interval),
  ];
}

const pad = (cell: string, width: number, column: number): string =>
  column === 0 ? cell.padEnd(width) : cell.padStart(width);

const range = ({ low, high }: Interval): string => `${figure(low)}-${figure(high)}`;

/** Three significant digits: more would be noise. */
const figure = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
