import { Fault } from '../../proto/fault.ts';
import type { Records } from './read-records.ts';

/** The verb of a command that has several. */
export function parseSubcommand<V extends string>(verb: string, known: readonly V[]): V {
  const found = known.find((one) => one === verb);
  if (found !== undefined) return found;
  const problem = verb === '' ? 'a verb is missing' : `"${verb}" is no verb of this command`;
  throw new Fault('invalid', `${problem}; there is ${known.join(', ')}`);
}

/** Names on standard error what a list had to leave out. Answers the exit status. */
export function reportUnreadable(unreadable: Records<unknown>['unreadable']): number {
  for (const { problem } of unreadable) process.stderr.write(`berth: left out: ${problem}\n`);
  return unreadable.length === 0 ? 0 : 1;
}
