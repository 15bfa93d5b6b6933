const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
type Signal = keyof typeof SIGNAL_NUMBERS;
const SIGNALS = Object.keys(SIGNAL_NUMBERS) as Signal[];

/**
 * SIGINT and SIGTERM while a pod runs: the first goes to the container; a second, or one that comes before the container
 * runs, ends the pod. So does SIGHUP: the terminal is gone, and nobody is left to send a second one.
 */
export class Interruption {
  private endPod: (() => Promise<void>) | undefined;
  private tellContainer: ((signal: number) => Promise<unknown>) | undefined;
  private ending: Signal | undefined;
  private readonly listener = (signal: Signal): void => this.receive(signal);

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.listener);
  }

  /** 128 + n once signal n has ended the pod. */
  get exitCode(): number | undefined {
    return this.ending === undefined ? undefined : 128 + SIGNAL_NUMBERS[this.ending];
  }

  /** From here on there is a pod to be ended; at once, if the signal came before. */
  endsPod(endPod: () => Promise<void>): void {
    this.endPod = endPod;
    if (this.ending !== undefined) this.end(endPod);
  }

  /** From here on there is a container that the first signal goes to. */
  goesTo(tellContainer: (signal: number) => Promise<unknown>): void {
    this.tellContainer = tellContainer;
  }

  dispose(): void {
    for (const signal of SIGNALS) process.off(signal, this.listener);
  }

  private receive(signal: Signal): void {
    const tell = signal === 'SIGHUP' ? undefined : this.tellContainer;
    this.tellContainer = undefined;
    if (tell !== undefined) {
      // A container that is gone needs no signal; any other failure shows in the call that waits for it.
      tell(SIGNAL_NUMBERS[signal]).catch(() => {});
      return;
    }
    this.ending ??= signal;
    if (this.endPod !== undefined) this.end(this.endPod);
  }

  /** The run ends the pod once more when its pending call has failed, and reports what goes wrong then. */
  private end(endPod: () => Promise<void>): void {
    endPod().catch(() => {});
  }
}
