/** A program to run: one line of JSON on the launcher's standard input. */
export interface LaunchRequest {
  readonly argv: readonly [string, ...string[]];
  /** KEY=value, and nothing else. */
  readonly env: readonly string[];
  /** At most 64 KiB. */
  readonly stdin: string;
  /** `peak` holds the program up at its first write to standard output to look at its memory: its time says nothing. */
  readonly wants: 'time' | 'peak';
}

/** The answer: one line of JSON on the launcher's standard output. */
export interface LaunchAnswer {
  /** From before the spawn until the program was reaped. */
  readonly milliseconds: number;
  /** VmHWM, of `peak`; 0 otherwise. */
  readonly peakKib: number;
  /** -1 if a signal ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}
