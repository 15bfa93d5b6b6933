import type { Fault } from '../../proto/fault.ts';

/** How the container ended, once: its exit status, or the Fault that kept anybody from learning it. */
export class ExitStatus {
  readonly settled: Promise<number>;
  private isDone = false;
  private settle: { resolve: (exitCode: number) => void; reject: (fault: Fault) => void } | undefined;

  constructor() {
    this.settled = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    // Nobody may be waiting when it is a Fault.
    this.settled.catch(() => {});
  }

  get isSettled(): boolean {
    return this.isDone;
  }

  resolve(exitCode: number): void {
    this.isDone = true;
    this.settle?.resolve(exitCode);
  }

  reject(fault: Fault): void {
    this.isDone = true;
    this.settle?.reject(fault);
  }
}
