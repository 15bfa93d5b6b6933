export interface Phase {
  readonly name: string;
  readonly milliseconds: number;
}

/** Where the time went: begin() ends the phase before. `now` is monotonic, in milliseconds. */
export class Phases {
  private readonly now: () => number;
  private readonly done: Phase[] = [];
  private running: { readonly name: string; readonly startMs: number } | undefined;

  constructor(now: () => number) {
    this.now = now;
  }

  begin(name: string): void {
    this.end();
    this.running = { name, startMs: this.now() };
  }

  end(): readonly Phase[] {
    if (this.running !== undefined) {
      const { name, startMs } = this.running;
      this.done.push({ name, milliseconds: Math.max(0, Math.round(this.now() - startMs)) });
    }
    this.running = undefined;
    return this.done;
  }
}
