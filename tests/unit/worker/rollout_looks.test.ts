import { expect, test } from "vitest";
import type { Rollout } from "../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import { RolloutLooks } from "../../../src/worker/rollouts/rollout_looks.ts";
import { aRollout } from "../../support/given/given_facts.ts";

const NO_PATIENCE_MS = 1;
const MUCH_PATIENCE_MS = 60_000;

/** Due rollouts are claimed once, a limited number at a time. */
function givenDue(...ids: string[]) {
  const due: Rollout[] = ids.map((rollout_id) => aRollout({ rollout_id }));
  return {
    due,
    rollouts: {
      claimDue: ({ limit }: { limit: number }) => Promise.resolve(due.splice(0, limit)),
    },
    clock: { now: () => Promise.resolve("2026-01-01T00:00:00.000Z") },
  };
}

test("a look that takes long holds up no other rollout, and is begun once", async () => {
  const database = givenDue("slow");
  const slow = Promise.withResolvers<void>();
  const begun: string[] = [];
  const looks = new RolloutLooks(database, async ({ rollout_id }) => {
    begun.push(rollout_id);
    if (rollout_id === "slow") await slow.promise;
  });
  await looks.round(NO_PATIENCE_MS);
  database.due.push(aRollout({ rollout_id: "slow" }), aRollout({ rollout_id: "quick" }));
  await looks.round(NO_PATIENCE_MS);
  expect(begun).toEqual(["slow", "quick"]);
  slow.resolve();
  await looks.settled();
  database.due.push(aRollout({ rollout_id: "slow" }));
  await looks.round(MUCH_PATIENCE_MS);
  expect(begun).toEqual(["slow", "quick", "slow"]);
});

test("no more are claimed than can be looked at, and those that are waited for are over", async () => {
  const ids = Array.from({ length: 150 }, (_, index) => `rollout_${index}`);
  const database = givenDue(...ids);
  let over = 0;
  const looks = new RolloutLooks(database, async () => {
    await Promise.resolve();
    over += 1;
  });
  expect(await looks.round(MUCH_PATIENCE_MS)).toBe(true);
  expect(over).toBe(100);
  expect(await looks.round(MUCH_PATIENCE_MS)).toBe(false);
  expect(over).toBe(150);
});

test("while as many are under way as may be, none is claimed", async () => {
  const ids = Array.from({ length: 101 }, (_, index) => `rollout_${index}`);
  const database = givenDue(...ids);
  const held = Promise.withResolvers<void>();
  const looks = new RolloutLooks(database, () => held.promise);
  await looks.round(NO_PATIENCE_MS);
  expect(await looks.round(NO_PATIENCE_MS)).toBe(false);
  expect(database.due).toHaveLength(1);
  held.resolve();
  await looks.settled();
  await looks.round(MUCH_PATIENCE_MS);
  expect(database.due).toEqual([]);
});
