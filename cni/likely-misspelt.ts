import { BARE_OWN_KEYS, type JsonObject, OWN_KEYS } from './config-keys.ts';

/** Of the specification (CNI 1.1.0, section 1), and what libcni adds for the plugin. */
const CNI_KEYS: readonly string[] = [
  'cniVersion',
  'name',
  'type',
  'args',
  'capabilities',
  'runtimeConfig',
  'prevResult',
  'ipam',
  'ipMasq',
  'dns',
];
const OWN: readonly string[] = OWN_KEYS;
/** How many letters may be wrong in a long key; in a short one half as many, for others have short keys too. */
const MAX_EDITS = 2;
const SHORT_LENGTH = 5;

export interface LikelyMisspelt {
  readonly key: string;
  /** The key of ours that it may be meant for. */
  readonly meant: string;
}

/** Keys of nobody we know that look like ours: others may own them all the same. */
export function findLikelyMisspelt(json: JsonObject): readonly LikelyMisspelt[] {
  return Object.keys(json).flatMap((key) => {
    if (CNI_KEYS.includes(key) || OWN.includes(key)) return [];
    const meant = OWN[BARE_OWN_KEYS.findIndex((own) => isLike(key.toLowerCase(), own))];
    return meant === undefined ? [] : [{ key, meant }];
  });
}

/** Some letters wrong, missing, too many or swapped; or the beginning of the other. */
function isLike(key: string, own: string): boolean {
  const isShort = Math.min(key.length, own.length) < SHORT_LENGTH;
  if (!isShort && (key.startsWith(own) || own.startsWith(key))) return true;
  const most = isShort ? MAX_EDITS / 2 : MAX_EDITS;
  return Math.abs(key.length - own.length) <= most && countEdits(key, own) <= most;
}

/** Letters to change, insert, remove, or swap with the next one, between two words (optimal string alignment). */
function countEdits(from: string, to: string): number {
  let before: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const edits = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      edits.push(
        Math.min(
          at(last, column) + 1,
          at(edits, column - 1) + 1,
          at(last, column - 1) + (isSame ? 0 : 1),
          isSwapped ? at(before, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    before = last;
    last = edits;
  }
  return at(last, to.length);
}

const at = (edits: readonly number[], column: number): number => edits[column] ?? Number.POSITIVE_INFINITY;
