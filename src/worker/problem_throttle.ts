import { problemOf } from "./same_problem.ts";

/** The pauses between the lines about a lasting problem; the last of them repeats. */
const PAUSES_MS = [10_000, 60_000, 600_000, 3_600_000];
/** Longer than the longest pause between two attempts. */
const GONE_MS = 120_000;

interface Told {
  sentence: string;
  times: number;
  /** How often the problem came since its last line. */
  more: number;
  lines: number;
  nextLineAt: number;
  lastSeenAt: number;
  /** It was reported as one that lasts. */
  isLasting: boolean;
}

export interface ThrottledProblems {
  problems: string[];
  /** Problems that have come again after their first line, each once. */
  lasting: string[];
  /** Problems that have not come again for two minutes. */
  recovered: string[];
}

/**
 * Reports a problem at once, less and less often and with its count while it lasts, and once more when it is gone.
 */
export class ProblemThrottle {
  readonly #told = new Map<string, Told>();

  /** @param now milliseconds that only go forward */
  tell(problems: readonly string[], now: number): ThrottledProblems {
    const lines = problems.flatMap((problem) => this.#tellOne(problem, now));
    const lasting = [...this.#told.values()].filter(({ lines: count, isLasting }) => count > 1 && !isLasting);
    for (const one of lasting) one.isLasting = true;
    return {
      problems: lines,
      lasting: lasting.map(({ sentence }) => sentence),
      recovered: this.#forgetGone(now),
    };
  }

  #tellOne(sentence: string, now: number): string[] {
    const kind = problemOf(sentence);
    const known = this.#told.get(kind);
    if (known === undefined) {
      const nextLineAt = now + pauseAfter(1);
      this.#told.set(kind, {
        ...{ sentence, times: 1, more: 0, lines: 1, nextLineAt, lastSeenAt: now },
        isLasting: false,
      });
      return [sentence];
    }
    known.times += 1;
    known.more += 1;
    known.lastSeenAt = now;
    known.sentence = sentence;
    if (now < known.nextLineAt) return [];
    const line = `${sentence} (${known.more} more times)`;
    known.more = 0;
    known.lines += 1;
    known.nextLineAt = now + pauseAfter(known.lines);
    return [line];
  }

  #forgetGone(now: number): string[] {
    const gone = [...this.#told].filter(([, { lastSeenAt }]) => now - lastSeenAt > GONE_MS);
    for (const [kind] of gone) this.#told.delete(kind);
    return gone.map(([, { sentence, times }]) => {
      const often = times === 1 ? "once" : `${times} times`;
      return `over, seen ${often} and no more for ${GONE_MS / 60_000} minutes: ${sentence}`;
    });
  }
}

function pauseAfter(lines: number): number {
  return PAUSES_MS[Math.min(lines, PAUSES_MS.length) - 1] ?? 0;
}
