import { pollUntil } from "../../../../src/testing/poll.ts";
import type { CountedLoad } from "../../harm/counted_load.ts";
import type { HarmCase } from "../../harm/harm_case.ts";
import { harmRow } from "../../harm/harm_row.ts";
import type { HarmWorld } from "../../harm/harm_world.ts";

/** All that a server predicts at once. */
const THREADS = 8;

/** Case 20 of what was seen to hurt production. */
export const hungPredictions = harmRow({
  name: "hung-predictions",
  fault:
    "all eight predictions of a server never return: what hangs is given up, it answers again by itself, and an operator gets in meanwhile",
  cases: () => [hung(false), hung(true)],
});

function hung(rollout: boolean): HarmCase {
  const servers = rollout ? 2 : 1;
  return {
    name: `8 of 8 hang${rollout ? " in each server of a rollout, which is ended" : ""}`,
    rollout,
    isOperated: rollout,
    lanes: 16 * servers,
    mayReplace: true,
    fault: async (world, load) => {
      const { upstream } = world;
      load.modelMayFail();
      upstream.hang(THREADS * servers);
      await pollUntil(() => upstream.held >= THREADS * servers, waiting("predictions that hang"));
      const told = rollout ? await operate(world) : [];
      await answersAgain(load);
      load.modelMayAnswerAgain();
      return told;
    },
  };
}

/** What needs the endpoint's lease, and no server. */
async function operate(world: HarmWorld): Promise<string[]> {
  try {
    await world.endRollout();
    return [];
  } catch (error) {
    return [`an operator gets in while servers hang, but was told ${String(error)}`];
  }
}

/** Many more than the servers could answer that do not hang. */
async function answersAgain(load: CountedLoad): Promise<void> {
  const wanted = load.answered + 200;
  await pollUntil(() => load.answered >= wanted, waiting("answers after the predictions that hung"));
}

function waiting(what: string) {
  return { deadlineMs: 300_000, intervalMs: 100, what };
}
