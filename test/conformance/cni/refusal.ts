import { type Called, describeCall } from './called.ts';
import type { CallChange, Pod, Verb } from './subject.ts';

/** How a plugin must refuse. */
export interface Refusal {
  /** Any of these; undefined: any code at all. */
  readonly codes?: readonly number[];
  /** A word that the message must hold. */
  readonly named?: string;
}

/** Calls what must be refused, and says what is wrong with the answer. What was done none the less is undone. */
export async function findRefusalProblems(
  pod: Pod,
  verb: Verb,
  change: CallChange,
  { codes, named }: Refusal,
): Promise<string[]> {
  const called = await pod.call(verb, change);
  if (called.exitCode === 0) {
    if (verb === 'ADD') await pod.call('DEL', change);
    return [`${verb} succeeds, but must be refused`];
  }
  const { code, text } = readError(called);
  const problems: string[] = [];
  if (codes !== undefined && !codes.some((each) => each === code)) {
    problems.push(`${verb}: ${describeCall(called)}; the code must be ${codes.join(' or ')}`);
  }
  if (named !== undefined && !text.includes(named)) {
    problems.push(`${verb}: ${describeCall(called)}; the message must name ${named}`);
  }
  return problems;
}

function readError({ answer }: Called): { readonly code: unknown; readonly text: string } {
  const { code, msg = '', details = '' } = (answer ?? {}) as Readonly<Record<string, unknown>>;
  return { code, text: `${String(msg)} ${String(details)}` };
}

/** What is wrong with the form of an error. `version` is what the configuration has. */
export function findErrorShapeProblems(called: Called, version: string): string[] {
  const { answer, stdout } = called;
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
    return [`standard output is not one JSON object: ${describeCall({ ...called, answer: undefined, stdout })}`];
  }
  const { cniVersion, code, msg, details = '' } = answer as Readonly<Record<string, unknown>>;
  const problems: string[] = [];
  if (cniVersion !== version) {
    problems.push(`cniVersion is ${JSON.stringify(cniVersion) ?? 'missing'}, but the configuration has "${version}"`);
  }
  if (!Number.isInteger(code) || Number(code) < 1) problems.push(`code is ${JSON.stringify(code) ?? 'missing'}`);
  if (typeof msg !== 'string' || msg === '') problems.push(`msg is ${JSON.stringify(msg) ?? 'missing'}`);
  if (typeof details !== 'string') problems.push(`details is ${JSON.stringify(details)}`);
  return problems;
}
