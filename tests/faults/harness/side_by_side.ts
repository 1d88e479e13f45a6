/** Does all of the work, so much of it at once; what is drawn first begins first. */
export async function sideBySide<T, R>(
  lanes: number,
  work: readonly T[],
  doOne: (one: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const waiting = work.entries();
  const lane = async () => {
    for (const [index, one] of waiting) results[index] = await doOne(one);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}
