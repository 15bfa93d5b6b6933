/** A pod whose container has said its first word. */
export interface ComparedPod {
  /** From the spawn of the first process to the first byte of the container's output, in milliseconds. */
  readonly startedMs: number;
  /** Directories in /proc. */
  readonly vmm: string;
  readonly shim?: string;
  /** Resolves when nothing of it is left. */
  end(): Promise<void>;
}
