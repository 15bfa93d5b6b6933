import * as v from 'valibot';
import { describeError, Fault } from '../proto/fault.ts';
import { describeIssue } from '../proto/record.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** All that are ours to read, beside those of the specification. */
export const OWN_KEYS = [
  'runDir',
  'logLevel',
  'mode',
  'macvtapMode',
  'queues',
  'tapOwner',
  'tapGroup',
  'dialect',
  'allIps',
  'kataDanDir',
  'when',
] as const;
type OwnKey = (typeof OWN_KEYS)[number];
/** In the same order, without capitals. */
export const BARE_OWN_KEYS = OWN_KEYS.map((own) => own.toLowerCase());

/** Unknown keys are for others, unless they look like ours: `rundir` would silently leave the records elsewhere. */
export function refuseMisspeltKeys(json: JsonObject): void {
  for (const key of Object.keys(json)) {
    const own = findOwnKey(key);
    if (own !== undefined && own !== key) throw keyFault(`${key}: unknown key; it is spelt ${own}`, key);
  }
}

function findOwnKey(key: string): OwnKey | undefined {
  const lower = key.toLowerCase();
  // Few keys have any, and a pattern takes the engine longer than all the rest.
  const bare = lower.includes('_') || lower.includes('-') ? lower.replaceAll(/[-_]/g, '') : lower;
  return OWN_KEYS[BARE_OWN_KEYS.indexOf(bare)];
}

/** What `parse` makes of the configuration without the keys of ours that it refuses; `tell` is told why, of each. */
export function forgiveKeys<T>(json: JsonObject, parse: (json: JsonObject) => T, tell: (problem: string) => void): T {
  try {
    return parse(json);
  } catch (error) {
    const key = error instanceof Fault ? error.fields['key'] : undefined;
    if (typeof key !== 'string' || !Object.hasOwn(json, key) || findOwnKey(key) === undefined) throw error;
    tell(describeError(error));
    const { [key]: _, ...rest } = json;
    return forgiveKeys(rest, parse, tell);
  }
}

/** Null is what Go writes for what is not there. */
export const isNothing = (value: unknown): value is null | undefined => value === undefined || value === null;

/** Throws `invalid` naming the first key that is not as the schema says. */
export function checkKeys<S extends v.GenericSchema>(schema: S, json: JsonObject): v.InferOutput<S> {
  const parsed = v.safeParse(schema, json, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw keyFault(describeIssue(issue), v.getDotPath(issue) ?? '(whole)');
}

/** `message` begins with the key. */
export const keyFault = (message: string, key: string): Fault =>
  new Fault('invalid', `network configuration: ${message}`, { fields: { key } });
