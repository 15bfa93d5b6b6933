/** One line of what set-up and build are doing, for a person who waits. */
export function report(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs a step that may take long, and says so before it starts and how long it took. */
export async function timed<T>(name: string, body: () => Promise<T>): Promise<T> {
  const startMs = Date.now();
  report(`${name} ...`);
  const result = await body();
  report(`${name} ... ${formatSeconds(Date.now() - startMs)}`);
  return result;
}

export const formatSeconds = (ms: number): string =>
  ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
