import { bulkhead, BulkheadRejectedError } from "cockatiel";

/** Runs what it is given, some at once. */
export type FewAtOnce = <T>(work: () => Promise<T>) => Promise<T>;

/** @param refusal the error of whoever is one too many, at once */
export function fewAtOnce(limit: number, refusal: () => Error): FewAtOnce {
  const few = bulkhead(limit, 0);
  return (work) =>
    few.execute(work).catch((error: unknown) => {
      throw error instanceof BulkheadRejectedError ? refusal() : error;
    });
}
