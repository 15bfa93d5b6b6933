/** Things by id. What was answered is never changed in place, so that a listing can be walked while verbs run. */
export class OrderedIndex<Id extends string, T> {
  private readonly byId = new Map<Id, T>();
  private readonly idOf: (value: T) => Id;
  private ordered: readonly T[];

  constructor(values: readonly T[], idOf: (value: T) => Id) {
    this.idOf = idOf;
    for (const value of values) this.byId.set(idOf(value), value);
    this.ordered = [...values].sort((one, other) => compare(idOf(one), idOf(other)));
  }

  /** In the order of ids. */
  all(): readonly T[] {
    return this.ordered;
  }

  get(id: Id): T | undefined {
    return this.byId.get(id);
  }

  has(id: Id): boolean {
    return this.byId.has(id);
  }

  /** In place of the one with the same id, if there is one. */
  put(value: T): void {
    const id = this.idOf(value);
    this.ordered = this.ordered.toSpliced(this.placeOf(id), this.byId.has(id) ? 1 : 0, value);
    this.byId.set(id, value);
  }

  delete(id: Id): void {
    if (this.byId.delete(id)) this.ordered = this.ordered.toSpliced(this.placeOf(id), 1);
  }

  /** Index of the first whose id is not less. */
  private placeOf(id: Id): number {
    let low = 0;
    let high = this.ordered.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const value = this.ordered[middle];
      if (value !== undefined && compare(this.idOf(value), id) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** By code units: the order that `<` has for page tokens too. */
function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
