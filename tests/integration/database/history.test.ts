import { expect, test } from "vitest";
import { IN_PRODUCTION_AT } from "../../../src/database/repositories/reading/history.ts";
import { apply, createWorld, observe, openEndpointWith, want } from "./support.ts";

test("a change of traffic is kept with who, when, why, from, to, and the figures of that moment", async () => {
  const { db } = await createWorld();
  await openEndpointWith(db, 2);
  await apply(db, want(0, { d1: 100 }), observe(1));
  const judged = {
    metrics: { candidate_requests: 60, candidate_errors: 1 },
    evidence: { verdict: { outcome: "pass" } },
  };
  await apply(db, { ...want(1, { d1: 90, d2: 10 }), ...judged }, observe(2));
  const [first, second] = (await db.history.list("exp")).filter(({ kind }) => kind === "traffic");
  expect(first).toMatchObject({ from_weights: null, weights: { mv_1: 100 }, metrics: {} });
  expect(second).toMatchObject({
    changed_by: "requester",
    reason: "weights of generation 2",
    from_weights: { mv_1: 100 },
    weights: { mv_1: 90, mv_2: 10 },
    metrics: judged.metrics,
    evidence: {
      ...judged.evidence,
      model_metrics: { mv_1: { test_auc: 0.9 }, mv_2: { test_auc: 0.9 } },
    },
  });
});

test("what was in production at an instant is one step of an index, however long the history", async () => {
  const { db, sql } = await createWorld();
  await openEndpointWith(db, 1);
  await sql(
    `insert into ml_traffic_history (occurred_at, experiment_id, endpoint_name, generation, deployment_weights,
       version_weights, wanted_at, changed_by, reason)
     select '2026-01-01'::timestamptz + make_interval(mins => n), 'exp', 'e2i_exp', n, '{"d1": 100}',
       '{"mv_1": 100}', now(), 'ana', 'a long history'
     from generate_series(1, 20000) as n`,
  );
  await sql("analyze ml_traffic_history");
  const at = "2026-01-05T00:00:30Z";
  const plan = JSON.stringify(
    await sql(`explain (analyze, format json) ${IN_PRODUCTION_AT}`, ["e2i_exp", at]),
  );
  expect(plan).toContain("ml_traffic_history_endpoint");
  expect(plan).not.toContain("Seq Scan");
  expect(await db.history.inProductionAt("e2i_exp", at)).toEqual([{ model_version_id: "mv_1", weight: 100 }]);
});
