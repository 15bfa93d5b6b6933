import { type ParseArgsConfig, parseArgs } from 'node:util';
import { Fault } from '../../proto/fault.ts';
import { DEFAULT_RUN_DIRECTORY } from '../../proto/paths.ts';

export type Flags = NonNullable<ParseArgsConfig['options']>;

/** A command line, checked and ready to be carried out. Resolves with the exit status. */
export type Prepared = () => Promise<number>;

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The whole text of `berth NAME --help`. */
  readonly help: string;
  /** As parseArgs wants them. */
  readonly flags: Flags;
  /** Exit status of what is berth's own failure, where 1 and 2 would be somebody else's. */
  readonly failureStatus?: number;
  /** Checks the arguments after the command's name, and does nothing yet: what it throws is the caller's mistake. */
  prepare(args: readonly string[]): Prepared;
}

/** `parseArgs` of Node, strict, with its complaints as Faults (`invalid`). */
export function parseFlags<T extends Omit<ParseArgsConfig, 'strict' | 'args'>>(args: readonly string[], config: T) {
  try {
    return parseArgs({ ...config, args: [...args], strict: true });
  } catch (error) {
    // Node explains at length how a positional could have been meant; its first sentence is what was wrong.
    const message = error instanceof Error ? error.message : String(error);
    throw new Fault('invalid', message.split('. ')[0] ?? message);
  }
}

/** Flags that several commands have, with the words that explain them. */
export const RUN_DIRECTORY_FLAG = { 'run-dir': { type: 'string', default: DEFAULT_RUN_DIRECTORY } } as const;
export const JSON_FLAG = { json: { type: 'boolean', default: false } } as const;

/** What `--json` prints: for programs, and whole. */
export const formatJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** The one positional argument that a command takes. */
export function onePositional(positionals: readonly string[], name: string): string {
  const [first, ...rest] = positionals;
  if (first === undefined) throw new Fault('invalid', `${name} is missing`);
  if (rest.length > 0) throw new Fault('invalid', `one ${name} is expected; "${rest.join(' ')}" is too much`);
  return first;
}

/** A flag that counts something. Undefined stays undefined. */
export function parseCount(
  flag: string,
  value: string,
  bounds: { readonly min: number; readonly max: number },
): number {
  const count = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (count >= bounds.min && count <= bounds.max) return count;
  throw new Fault('invalid', `--${flag} is "${value}", but must be a whole number from ${bounds.min} to ${bounds.max}`);
}
