import { useEffect, useRef } from "preact/hooks";
import { type Signal, useSignal } from "@preact/signals";

export interface Asked<T> {
  /** The last answer; null before the first. */
  answer: Signal<T | null>;
  error: Signal<unknown>;
}

/**
 * Asks when the view opens and whenever one of the reasons is another, one question at a time: what changes while an answer
 * is awaited is asked for once, after it.
 */
export function useAsked<T>(ask: () => Promise<T>, reasons: readonly unknown[]): Asked<T> {
  const answer = useSignal<T | null>(null);
  const error = useSignal<unknown>(null);
  const asking = useRef({ ask, isUnderWay: false, again: false });
  asking.current.ask = ask;
  useEffect(() => {
    const { current } = asking;
    current.again = true;
    if (current.isUnderWay) return;
    current.isUnderWay = true;
    void (async () => {
      while (current.again) {
        current.again = false;
        try {
          answer.value = await current.ask();
          error.value = null;
        } catch (problem) {
          error.value = problem;
        }
      }
      current.isUnderWay = false;
    })();
  }, reasons);
  return { answer, error };
}
