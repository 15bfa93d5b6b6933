/**
 * The value of `work`, or undefined if it takes longer, or if there is none. `work` goes on; a failure of it is thrown
 * only while waited for.
 */
export async function within<T>(milliseconds: number, work: Promise<T> | undefined): Promise<T | undefined> {
  if (work === undefined) return undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(0, milliseconds));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
