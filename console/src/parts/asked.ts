import { useEffect, useRef } from "preact/hooks";
import { type Signal, useSignal } from "@preact/signals";

export interface Asked<T> {
  /** The last answer; null before the first. */
  answer: Signal<T | null>;
  error: Signal<unknown>;
}

/**
 * Asks when the view opens and whenever the subject or one of the reasons is another. About a subject one question is asked
 * at a time: what changes while its answer is awaited is asked for once, after it. An answer about a former subject is dropped.
 */
export function useAsked<T>(
  ask: () => Promise<T>,
  [subject, ...reasons]: readonly [string, ...unknown[]],
): Asked<T> {
  const answer = useSignal<T | null>(null);
  const error = useSignal<unknown>(null);
  const last = useRef(ask);
  last.current = ask;
  const asking = useRef({ subject, isUnderWay: false, again: false });
  const askOn = async (current: typeof asking.current) => {
    current.isUnderWay = true;
    while (current.again) {
      current.again = false;
      let problem: unknown = null;
      const given = await last.current().catch((thrown: unknown) => {
        problem = thrown;
        return null;
      });
      if (asking.current !== current) return;
      if (given !== null) answer.value = given;
      error.value = problem;
    }
    current.isUnderWay = false;
  };
  useEffect(() => {
    if (asking.current.subject !== subject) asking.current = { subject, isUnderWay: false, again: false };
    const { current } = asking;
    current.again = true;
    if (!current.isUnderWay) void askOn(current);
  }, [subject, ...reasons]);
  return { answer, error };
}
