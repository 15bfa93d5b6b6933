import fc from 'fast-check';
import { Fault, type FaultCode } from '../../proto/fault.ts';

const SEED = process.env['BERTH_FUZZ_SEED'];
const FACTOR = Number(process.env['BERTH_FUZZ_FACTOR'] ?? 1);

/**
 * For `fc.assert`: how often. A failure prints its seed; BERTH_FUZZ_SEED runs it again, BERTH_FUZZ_FACTOR multiplies
 * the runs.
 */
export const runs = (numRuns: number): fc.Parameters<unknown> => ({
  numRuns: Math.ceil(numRuns * FACTOR),
  ...(SEED === undefined ? {} : { seed: Number(SEED) }),
});

/** For a test of so many seconds, less than a layer's usual limit. */
export const limitMs = (seconds: number): number => seconds * 1000 * Math.max(1, FACTOR);

/** What `body` answers, or undefined for a Fault of one of `codes`. Any other throw is a finding, and thrown on. */
export function orFault<T>(codes: readonly FaultCode[], body: () => T): T | undefined {
  try {
    return body();
  } catch (error) {
    if (error instanceof Fault && codes.includes(error.code)) return undefined;
    throw error;
  }
}

/** Any bytes, or some of `samples` with bytes changed, inserted and cut off. */
export function brokenBytes(...samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const any = fc.uint8Array({ maxLength: 200 });
  if (samples.length === 0) return any;
  const joined = fc
    .array(fc.constantFrom(...samples), { minLength: 1, maxLength: 3 })
    .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));
  const edit = fc.record({ at: fc.nat(), remove: fc.nat({ max: 3 }), insert: fc.uint8Array({ maxLength: 4 }) });
  const broken = fc.tuple(joined, fc.array(edit, { maxLength: 4 }), fc.nat()).map(([bytes, edits, end]) => {
    const edited = edits.reduce<number[]>(
      (list, { at, remove, insert }) => {
        list.splice(at % (list.length + 1), remove, ...insert);
        return list;
      },
      [...bytes],
    );
    // Two of three stay whole: what comes after a cut is never looked at.
    return Uint8Array.from(end % 3 === 0 ? edited.slice(0, end % (edited.length + 1)) : edited);
  });
  return fc.oneof({ weight: 1, arbitrary: any }, { weight: 4, arbitrary: broken });
}

/** `bytes` in pieces, as a stream may bring them. */
export const inPieces = (bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<readonly Uint8Array[]> =>
  fc.tuple(bytes, fc.array(fc.nat(), { maxLength: 6 })).map(([all, cuts]) => {
    const places = [0, ...cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length];
    return places.slice(1).map((end, index) => all.slice(places[index], end));
  });

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Text, of any characters: lone surrogates, control characters and zero bytes too. */
export const anyText = (maxLength = 40): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({ maxLength }),
    fc.string({ maxLength, unit: 'binary' }),
    fc.array(fc.nat({ max: 0xffff }), { maxLength }).map((units) => String.fromCharCode(...units)),
    fc.constantFrom(
      '',
      ' ',
      '.',
      '..',
      '/',
      '../..',
      '\0',
      'a\0b',
      '__proto__',
      'constructor',
      '\ud800',
      'x'.repeat(300),
    ),
  );

/** What stands in the place of another value: near misses and nonsense. */
const substitute: fc.Arbitrary<Json> = fc.oneof(
  anyText(),
  fc.constantFrom<Json[]>(null, true, false, 0, -0, -1, 1.5, 1e300, 2 ** 53, [], {}, [[]], [null], { v: 1 }),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
);

/** Text that was the JSON of `samples`: with parts replaced, removed and added, or with its bytes broken. */
export function brokenJson(...samples: readonly unknown[]): fc.Arbitrary<string> {
  const plain = samples.map((sample) => JSON.parse(JSON.stringify(sample)) as Json);
  const change = fc.record({ at: fc.nat(), how: fc.nat({ max: 3 }), key: anyText(12), value: substitute });
  const structural = fc
    .tuple(fc.constantFrom(...plain), fc.array(change, { maxLength: 3 }))
    .map(([value, changes]) => JSON.stringify(changes.reduce<Json>((json, each) => changeAt(json, each), value)));
  const texts = plain.map((json) => new TextEncoder().encode(JSON.stringify(json)));
  const bytewise = brokenBytes(...texts).map((bytes) => new TextDecoder().decode(bytes));
  return fc.oneof({ weight: 3, arbitrary: structural }, { weight: 1, arbitrary: bytewise });
}

interface Change {
  readonly at: number;
  readonly how: number;
  readonly key: string;
  readonly value: Json;
}

/** Changes one place of the tree; which one, `at` says modulo their number. */
function changeAt(json: Json, { at, how, key, value }: Change): Json {
  const places = countPlaces(json);
  let left = at % places;
  const walk = (here: Json): Json | undefined => {
    if (left-- === 0) return how === 0 ? undefined : how === 1 ? grown(here, key, value) : value;
    if (Array.isArray(here)) return here.map(walk).filter((each) => each !== undefined);
    if (typeof here !== 'object' || here === null) return here;
    const entries = Object.entries(here).map(([name, each]) => [name, walk(each)] as const);
    return fromEntries(entries);
  };
  return walk(json) ?? null;
}

function grown(here: Json, key: string, value: Json): Json {
  if (Array.isArray(here)) return [...here, value];
  if (typeof here === 'object' && here !== null) return fromEntries([...Object.entries(here), [key, value]]);
  return value;
}

/** As JSON.parse does it: `__proto__` is a key like others. */
function fromEntries(entries: readonly (readonly [string, Json | undefined])[]): Json {
  const kept = entries.filter((entry) => entry[1] !== undefined);
  return Object.fromEntries(kept) as Json;
}

function countPlaces(json: Json): number {
  const inner = typeof json === 'object' && json !== null ? Object.values(json) : [];
  return inner.reduce<number>((sum, each) => sum + countPlaces(each as Json), 1);
}
