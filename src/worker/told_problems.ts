/** How long after a line about a problem the next one comes, while it lasts; then each time the last of these. */
const PAUSES_MS = [10_000, 60_000, 600_000, 3_600_000];
/** Longer than whatever fails is left alone. */
const GONE_MS = 120_000;

interface Told {
  sentence: string;
  times: number;
  /** Since the last line. */
  more: number;
  lines: number;
  nextLineAt: number;
  lastSeenAt: number;
}

export interface ToldNow {
  problems: string[];
  /** What has not come again for two minutes. */
  recovered: string[];
}

/** Tells a problem that lasts once, then counted and less often, and once more when it is gone. */
export class ToldProblems {
  readonly #told = new Map<string, Told>();

  /** @param now milliseconds that only go forward */
  tell(problems: readonly string[], now: number): ToldNow {
    const lines = problems.flatMap((problem) => this.#tellOne(problem, now));
    return { problems: lines, recovered: this.#forgetGone(now) };
  }

  #tellOne(sentence: string, now: number): string[] {
    const kind = kindOf(sentence);
    const known = this.#told.get(kind);
    if (known === undefined) {
      const nextLineAt = now + pauseAfter(1);
      this.#told.set(kind, { sentence, times: 1, more: 0, lines: 1, nextLineAt, lastSeenAt: now });
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
      return `again well, seen ${often} and no more for ${GONE_MS / 60_000} minutes: ${sentence}`;
    });
  }
}

/** Two sentences that differ in their numbers and instants alone tell of the same problem. */
function kindOf(sentence: string): string {
  return sentence.replaceAll(/\d+(?:[.:TZ-]*\d+)*Z?/g, "#");
}

function pauseAfter(lines: number): number {
  return PAUSES_MS[Math.min(lines, PAUSES_MS.length) - 1] ?? 0;
}
