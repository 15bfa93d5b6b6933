import { formatTable } from '../../runtime/cli/format-table.ts';

/** Called within a step for what the guest, or a check, saw. */
export type Saw = (what: string) => void;

/** The demo's steps as they happen, and as a table at the end. */
export class Journal {
  private readonly rows: string[][] = [];
  private steps = 0;
  private readonly write: (text: string) => void;

  constructor(write: (text: string) => void) {
    this.write = write;
  }

  /** Runs a step and prints it, what was seen in it, and its duration. */
  async step<T>(title: string, body: (saw: Saw) => Promise<T>): Promise<T> {
    this.steps += 1;
    const number = String(this.steps);
    const seen: string[] = [];
    const startMs = performance.now();
    this.write(`${number}. ${title}\n`);
    const result = await body((what) => {
      seen.push(what);
      this.write(`   ${what}\n`);
    });
    const ms = String(Math.round(performance.now() - startMs));
    this.write(`   ${ms} ms\n\n`);
    const [first = '', ...others] = seen;
    this.rows.push([number, title, ms, first], ...others.map((what) => ['', '', '', what]));
    return result;
  }

  table(): string {
    return formatTable(['', 'STEP', 'MS', 'SEEN'], this.rows);
  }
}
