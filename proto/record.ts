import * as v from 'valibot';
import { Fault } from './fault.ts';

/** A versioned JSON record: what one program promises another in a file. CONTRACTS.md lists them all. */
export interface RecordCodec<T> {
  readonly kind: string;
  readonly version: number;
  /** The file's text, two-space indented for a person who debugs at night, with `"v"` first. */
  encode(value: T): string;
  /** Throws `malformed` naming the first offending key, or `unsupported` for a version this build does not know. */
  decode(text: string, source: string): T;
}

type Entries = v.ObjectEntries;

export function defineRecord<E extends Entries>(
  kind: string,
  version: number,
  entries: E,
): RecordCodec<v.InferOutput<v.StrictObjectSchema<E, undefined>>> {
  const schema = v.strictObject(entries);
  type T = v.InferOutput<typeof schema>;
  return {
    kind,
    version,
    encode: (value: T): string => `${JSON.stringify({ v: version, ...value }, null, 2)}\n`,
    decode(text, source): T {
      const { v: found, ...rest } = parseObject(text, kind, source);
      if (found !== version) {
        throw new Fault('unsupported', `${source}: ${kind} has version ${found}; this berth reads version ${version}`, {
          fields: { source, kind },
        });
      }
      return decodeWith(schema, rest, `${source}: ${kind}`);
    },
  };
}

/** Checks `value` against `schema`; the Fault (`malformed`) names the first offending key and what was expected there. */
export function decodeWith<S extends v.GenericSchema>(schema: S, value: unknown, where: string): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new Fault('malformed', `${where}: ${describeIssue(issue)}`, { fields: { key: keyOf(issue) } });
}

/** What a schema found, in a person's words: valibot's own are about the schema. */
export function describeIssue(issue: v.BaseIssue<unknown>): string {
  const key = keyOf(issue);
  if (issue.received === 'undefined') return `${key} is missing`;
  if (issue.expected === 'never') return `${key} is an unknown key`;
  return `${key}: ${issue.message}`;
}

const keyOf = (issue: v.BaseIssue<unknown>): string => v.getDotPath(issue) ?? '(whole)';

function parseObject(text: string, kind: string, source: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Fault('malformed', `${source}: ${kind} is not JSON`, { fields: { source, kind }, cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Fault('malformed', `${source}: ${kind} is not a JSON object`, { fields: { source, kind } });
  }
  return value as Record<string, unknown>;
}

/** Schemas that several records share. */
export const text = v.string();
export const filled = v.pipe(v.string(), v.minLength(1));
/** A map of texts. v.record would leave out a key like `constructor` without a word. */
export const texts = v.custom<Readonly<Record<string, string>>>(isTexts, 'must be an object whose values are texts');
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const absolutePath = v.pipe(
  v.string(),
  v.check((path) => path.startsWith('/') && !path.includes('\0'), 'must be an absolute path'),
);
/** A string that a parse function of ids.ts checks and brands. */
export function id<Id extends string>(parse: (value: unknown, field?: string) => Id) {
  return v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }): Id => {
      try {
        return parse(dataset.value);
      } catch (error) {
        addIssue({ message: error instanceof Error ? error.message : String(error) });
        return NEVER;
      }
    }),
  );
}

function isTexts(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((each) => typeof each === 'string');
}
