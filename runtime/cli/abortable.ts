const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;

/** `body`, whose signal is aborted when a signal would end this program: so that it can clear up first. */
export async function abortable<T>(body: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  for (const signal of SIGNALS) process.on(signal, abort);
  try {
    return await body(controller.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, abort);
  }
}
