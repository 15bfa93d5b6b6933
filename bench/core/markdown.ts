import type { Machine } from './machine.ts';
import type { ExperimentResults } from './results.ts';
import type { Interval } from './statistics.ts';
import { type MeasureSummary, type Row, summarize } from './summary.ts';

const HEADINGS = ['', 'min', 'median', '95 %', 'berth / it', '95 %'];

/** One experiment: how, the figures, and what is missing. */
export function formatExperiment(results: ExperimentResults): string {
  const { title, method, rounds, loadBefore, loadAfter, absent } = results;
  return [
    `## ${title}`,
    method,
    ...summarize(results).map(formatMeasure),
    ...absent.map(({ name, reason }) => `${name}: ${reason}.`),
    `${rounds} rounds; load average ${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after.`,
  ].join('\n\n');
}

export function formatMachine(machine: Machine): string {
  const { processor, cores, memoryMib, kernel, isVirtual, qemu, node } = machine;
  const kind = isVirtual ? 'a virtual machine' : 'hardware';
  return `${processor}, ${cores} cores, ${memoryMib} MiB, ${kind}; Linux ${kernel}; ${qemu}; Node ${node}.`;
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
