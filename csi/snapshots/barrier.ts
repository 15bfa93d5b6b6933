/** A place that none passes before all are there. */
export class Barrier {
  private readonly all: Promise<void>;
  private missing: number;
  private open = (): void => {};
  private shut = (_reason: unknown): void => {};

  constructor(count: number) {
    this.missing = count;
    this.all = new Promise((resolve, reject) => {
      this.open = resolve;
      this.shut = reject;
    });
    this.all.catch(() => {}); // who waits is told; that nobody waits yet is no error
  }

  /** Resolves when all have arrived; rejects with the reason of one that never will. */
  arrive(): Promise<void> {
    this.missing -= 1;
    if (this.missing === 0) this.open();
    return this.all;
  }

  /** Somebody will not arrive. Of no effect once all have. */
  break(reason: unknown): void {
    this.shut(reason);
  }
}
