import { setTimeout as delay } from "node:timers/promises";
import { harmRow } from "../../harm/harm_row.ts";

const SLOW_MS = 5000;
/** Every so many answers are slow; with more callers than threads that predict, others wait behind them. */
const EACH = 4;

export const slowAnswers = harmRow({
  name: "slow-answers",
  fault:
    "every fourth prediction takes 5 s, for more callers than predict at once: the servers are as alive as before, and each caller gets an answer",
  cases: ({ extent }) =>
    [false, true].map((rollout) => ({
      name: `a p99 above 5 s${rollout ? " in a rollout" : ""}`,
      rollout,
      lanes: 12,
      fault: async ({ upstream }) => {
        upstream.says({}, (asked) => (asked % EACH === 0 ? SLOW_MS : 0));
        await delay(extent === "whole" ? 60_000 : 12_000);
        upstream.says({});
      },
    })),
});
