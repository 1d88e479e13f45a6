import { bulkhead, BulkheadRejectedError } from "cockatiel";

/** Runs what it is given, so many at once; one more is refused at once by an error of the caller's. */
export type FewAtOnce = <T>(work: () => Promise<T>, refusal: () => Error) => Promise<T>;

export function fewAtOnce(limit: number): FewAtOnce {
  const few = bulkhead(limit, 0);
  return (work, refusal) =>
    few.execute(work).catch((error: unknown) => {
      throw error instanceof BulkheadRejectedError ? refusal() : error;
    });
}
