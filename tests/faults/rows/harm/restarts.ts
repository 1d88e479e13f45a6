import type { HarmCase } from "../../harm/harm_case.ts";
import { harmRow } from "../../harm/harm_row.ts";
import type { HarmWorld } from "../../harm/harm_world.ts";
import { instancesIn } from "../../harm/served_processes.ts";

/** Answers are under way at each moment of a restart. */
const UNDER_WAY_MS = 300;

export const restartsByHand = harmRow({
  name: "restarts-by-hand",
  fault:
    "an operator restarts a deployment under load: another server stands beside it before the former one is stopped, and each caller gets an answer",
  cases: ({ extent }) => [
    ...Array.from({ length: extent === "whole" ? 5 : 1 }, (_, index) => production(index + 1)),
    candidate(),
  ],
});

function production(count: number): HarmCase {
  return {
    name: `production, ${count}`,
    lanes: 12,
    mayReplace: true,
    fault: (world) => restarted(world, world.production),
  };
}

function candidate(): HarmCase {
  return {
    name: "the candidate of a rollout",
    rollout: true,
    lanes: 12,
    mayReplace: true,
    fault: async (world) => restarted(world, await world.beginRollout()),
  };
}

async function restarted(world: HarmWorld, deployment: string): Promise<string[]> {
  const { upstream, home } = world;
  const of = async () => (await instancesIn(home)).filter((one) => one.deployment === deployment);
  const before = await of();
  upstream.says({}, () => UNDER_WAY_MS);
  await world.restart(deployment);
  upstream.says({});
  const after = await of();
  const isAnother = !before.some(({ instance }) => after.some((one) => one.instance === instance));
  return after.length === 1 && isAnother
    ? []
    : [
        `a restart leaves one other server of ${deployment}, but there are ${after.length}, ${isAnother ? "all new" : "one of them the former one"}`,
      ];
}
