import { setTimeout as delay } from "node:timers/promises";
import type { HarmCase } from "../../harm/harm_case.ts";
import { harmRow } from "../../harm/harm_row.ts";

const SECONDS = { selection: [3], whole: [1, 3, 10, 60] } as const;
const KINDS = ["refuses", "hangs"] as const;

/** Cases 1 and 2 of what was seen to hurt production. */
export const upstreamAway = harmRow({
  name: "upstream-away",
  fault:
    "what the models ask before each prediction is away, with a rollout under way and without: nothing is stopped, started or written, and callers get no failure but the models' own",
  cases: ({ extent }) =>
    [false, true].flatMap((rollout) =>
      KINDS.flatMap((kind) => SECONDS[extent].map((seconds) => away(seconds, kind, rollout))),
    ),
});

function away(seconds: number, kind: (typeof KINDS)[number], rollout: boolean): HarmCase {
  return {
    name: `${kind} for ${seconds} s${rollout ? " in a rollout" : ""}`,
    rollout,
    // A server whose every prediction hangs, for long past its limit, gets another one beside it.
    mayReplace: kind === "hangs" && seconds >= 60,
    fault: async ({ upstream }, load) => {
      load.modelMayFail();
      if (kind === "refuses") await upstream.goAway();
      else upstream.hang();
      await delay(seconds * 1000);
      await upstream.comeBack();
      load.modelMayAnswerAgain();
    },
  };
}
