import { expect, test } from "vitest";
import type { KeptLook } from "../../../../agents/model_deployer/domain/evidence/kept_look.ts";
import { apply, openEndpointWith } from "../database_setup.ts";
import { rolloutOf } from "../fixtures.ts";
import type { OpenDatabase } from "../harness.ts";
import { moveOf } from "./rollouts_contract.ts";

const aLook = (second: number): KeptLook => ({
  looked_at: `2026-01-02T03:04:${String(second).padStart(2, "0")}.000Z`,
  status: "running",
  step_index: 0,
  generation: 1,
  share: 0.1,
  needs_bound: false,
  alone: false,
  challenged: false,
  answers: true,
  outcomes: null,
  predictions: null,
  metrics: {},
  figures: [],
  outcome: "inconclusive",
  reason: `Look ${second}.`,
});

export function describeKeptLooks(open: OpenDatabase): void {
  test("looks are kept in their order with the state before the first; a second time they stay as they are", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await apply(db, { change: "start_rollout", rollout: rolloutOf("r1") });
    expect(await db.keptLooks.of("r1")).toEqual({ before: rolloutOf("r1").judge_state, looks: [] });
    await Promise.all([
      db.rollouts.hold(moveOf({ look: aLook(2) })),
      db.rollouts.hold(moveOf({ look: null })),
      db.rollouts.hold(moveOf()),
    ]);
    await apply(db, moveOf({ look: aLook(1) }));
    await apply(db, moveOf({ look: aLook(2) }));
    expect((await db.keptLooks.of("r1"))?.looks).toEqual([aLook(1), aLook(2)]);
    expect(await db.keptLooks.of("r2")).toBeNull();
  });
}
