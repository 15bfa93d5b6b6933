import type { FileExtent } from './host-calls.ts';
import type { Extent } from './pool/port.ts';

/** Parts of a file that hold data: not what was never written, nor what is only allocated. In order, merged. */
export function dataExtents(extents: readonly FileExtent[], sizeBytes: number): Extent[] {
  return mergeExtents(extents.filter(({ isUnwritten }) => !isUnwritten).map(toExtent), sizeBytes);
}

/**
 * Parts of `now` that may read differently than in `base`. What two files share lies in the same place of the device, and
 * nobody writes there while both have it; everything else counts as changed, above all what has become zero.
 */
export function changedExtents(base: readonly FileExtent[], now: readonly FileExtent[], sizeBytes: number): Extent[] {
  const changed: Extent[] = [];
  const before = new Walker(base);
  const after = new Walker(now);
  for (let offset = 0; offset < sizeBytes; ) {
    const [was, is] = [before.at(offset), after.at(offset)];
    const end = Math.min(was.end, is.end, sizeBytes);
    if (!isSame(was.content, is.content)) changed.push({ offset, length: end - offset });
    offset = end;
  }
  return mergeExtents(changed, sizeBytes);
}

/** Zero, or where on the device; undefined where the place does not tell the content. */
type Content = { readonly kind: 'zero' } | { readonly kind: 'placed'; readonly physical: number } | undefined;

function isSame(one: Content, other: Content): boolean {
  if (one === undefined || other === undefined || one.kind !== other.kind) return false;
  return one.kind === 'zero' || (other.kind === 'placed' && one.physical === other.physical);
}

/** Goes through the extents of a file once, from its beginning to its end. */
class Walker {
  private readonly extents: readonly FileExtent[];
  private index = 0;

  constructor(extents: readonly FileExtent[]) {
    this.extents = extents;
  }

  /** What is at the offset, which never goes back, and up to where it is all of one kind. */
  at(offset: number): { content: Content; end: number } {
    let extent = this.extents[this.index];
    while (extent !== undefined && extent.logical + extent.length <= offset) {
      this.index += 1;
      extent = this.extents[this.index];
    }
    if (extent === undefined) return { content: { kind: 'zero' }, end: Number.POSITIVE_INFINITY };
    if (offset < extent.logical) return { content: { kind: 'zero' }, end: extent.logical };
    return { content: contentOf(extent, offset), end: extent.logical + extent.length };
  }
}

function contentOf({ logical, physical, isUnwritten, isPlaced }: FileExtent, offset: number): Content {
  if (isUnwritten) return { kind: 'zero' };
  return isPlaced ? { kind: 'placed', physical: physical + (offset - logical) } : undefined;
}

const toExtent = ({ logical, length }: FileExtent): Extent => ({ offset: logical, length });

/** Neighbours become one; a file system allocates beyond a file's end too. */
function mergeExtents(extents: readonly Extent[], sizeBytes: number): Extent[] {
  const merged: { offset: number; length: number }[] = [];
  for (const { offset, length } of extents) {
    const end = Math.min(offset + length, sizeBytes);
    const last = merged.at(-1);
    if (end <= offset) continue;
    if (last !== undefined && last.offset + last.length >= offset) last.length = end - last.offset;
    else merged.push({ offset, length: end - offset });
  }
  return merged;
}
