/** As Promise.all of a map, with at most `limit` of them at a time. The first failure is thrown. */
export async function mapConcurrently<T, R>(
  items: Iterable<T>,
  limit: number,
  body: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const waiting = [...items].entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of waiting) results[index] = await body(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return results;
}
