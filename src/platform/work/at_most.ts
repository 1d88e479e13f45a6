import { bulkhead } from "cockatiel";

/** Runs what it is given, so many at once; the others wait their turn. */
export function atMost(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const few = bulkhead(limit, Infinity);
  return (work) => few.execute(work);
}
