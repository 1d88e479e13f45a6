import { useEffect, useRef } from "preact/hooks";
import { type Signal, useSignal } from "@preact/signals";

export interface Asked<T> {
  /** The last answer; null before the first. */
  answer: Signal<T | null>;
  error: Signal<unknown>;
}

/** Asks when the view opens and whenever one of the reasons is another; an answer that came out of turn is dropped. */
export function useAsked<T>(ask: () => Promise<T>, reasons: readonly unknown[]): Asked<T> {
  const answer = useSignal<T | null>(null);
  const error = useSignal<unknown>(null);
  const turns = useRef({ asked: 0, answered: 0 });
  useEffect(() => {
    const turn = (turns.current.asked += 1);
    const isNewest = () => {
      if (turn < turns.current.answered) return false;
      turns.current.answered = turn;
      return true;
    };
    ask().then(
      (given) => {
        if (!isNewest()) return;
        answer.value = given;
        error.value = null;
      },
      (problem: unknown) => {
        if (isNewest()) error.value = problem;
      },
    );
  }, reasons);
  return { answer, error };
}
