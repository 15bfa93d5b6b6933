import { Fault } from '../../proto/fault.ts';

/** A check of the demo: what a user was promised, and is shown to hold. */
export function checkEqual(what: string, found: unknown, expected: unknown): void {
  if (JSON.stringify(found) === JSON.stringify(expected)) return;
  throw new Fault('precondition', `${what}: found ${JSON.stringify(found)}, but expected ${JSON.stringify(expected)}`);
}
