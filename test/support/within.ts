/** `promise`, but at most `limitMs`: a late one fails with what `diagnose` finds then, such as the console's end. */
export async function within<T>(
  what: string,
  limitMs: number,
  promise: Promise<T>,
  diagnose: () => Promise<string>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      diagnose().then((found) => reject(new Error(`${what}: not within ${limitMs} ms\n${found}`)), reject);
    }, limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
