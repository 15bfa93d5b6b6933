import { describeError, Fault } from '../../proto/fault.ts';

/**
 * A failure for a person at a terminal: one sentence, then what its fields add to it. Fields of several lines (the
 * guest's console, a child's stderr) stand indented under their name.
 */
export function formatFailure(thrown: unknown): string {
  const sentence = describeError(thrown);
  const lines = [`berth: ${sentence}`];
  for (const [name, value] of thrown instanceof Fault ? Object.entries(thrown.fields) : []) {
    const text = String(value).trimEnd();
    if (text.includes('\n')) lines.push(`  ${name}:`, ...text.split(/\r*\n/).map((line) => `    ${line}`));
    else if (text !== '' && !sentence.includes(text)) lines.push(`  ${name}: ${text}`);
  }
  return `${lines.join('\n')}\n`;
}
