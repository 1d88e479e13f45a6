import { expect, test } from "vitest";
import type { Change } from "../../../agents/model_deployer/domain/changes.ts";
import { apply, claim, openEndpointWith, registerVersions } from "./database_setup.ts";
import { deploymentOf, experiment, move, rolloutOf, versionOf, want } from "./fixtures.ts";
import type { OpenDatabase } from "./harness.ts";

const version = (overrides: Partial<ReturnType<typeof versionOf>>): Change => ({
  change: "insert_model_version",
  model_version: { ...versionOf(9), ...overrides },
  algorithm: null,
});

const rollout = (overrides: Partial<ReturnType<typeof rolloutOf>>): Change => ({
  change: "start_rollout",
  rollout: rolloutOf("r9", overrides),
});

const open = (overrides: { experiment_id: string }): Change => ({
  change: "open_endpoint",
  endpoint_name: "e2i_other",
  endpoint_url: "http://127.0.0.1:10",
  ...overrides,
});

const refused: [string, string, Change][] = [
  ["a version of no experiment", "not_found", version({ experiment_id: "none" })],
  ["a version that begins in production", "invalid_promotion_path", version({ stage: "production" })],
  ["a version that has moved before", "invalid_promotion_path", version({ stage_revision: 1 })],
  ["a version under a number that is taken", "conflict", version({ version: 1 })],
  ["a version under an id that is taken", "conflict", version({ model_version_id: "mv_1" })],
  ["a version with a NUL in its name", "invalid_request", version({ model_name: "a\0b" })],
  ["a move to the same stage", "conflict", move(1, "development", "development", 0)],
  ["a move back", "invalid_promotion_path", move(1, "development", "archived", 0)],
  ["an endpoint of no experiment", "not_found", open({ experiment_id: "none" })],
  ["a route of no endpoint", "not_found", { ...want(0, {}), endpoint_name: "none" }],
  ["a rollout of no endpoint", "not_found", rollout({ endpoint_name: "none" })],
  ["a rollout of no deployment", "not_found", rollout({ deployment_id: "none" })],
  ["a rollout against itself", "invalid_request", rollout({ baseline_deployment_id: "d2" })],
  ["a rollout past its last step", "invalid_request", rollout({ step_index: 2 })],
  ["an approval that nobody gave", "invalid_approval", { change: "spend_approval", approval_id: "none" }],
  ["a drained deployment that is not there", "not_found", { change: "mark_drained", deployment_id: "none" }],
  [
    "a drain of no deployment that is called off",
    "not_found",
    { change: "call_off_drain", deployment_id: "none", was_drained: false },
  ],
];

const impossible = [
  { model_version_id: "mv_none", code: "not_found" },
  { experiment_id: "none", code: "not_found" },
  { operation_id: "op_none", code: "not_found" },
  { previous_deployment_id: "none", code: "not_found" },
  { deployment_id: "d1", code: "conflict" },
  { traffic_percentage: 50, code: "conflict" },
  { deployed_by: "somebody", code: "invalid_request" },
  { replicas: 0, code: "invalid_request" },
];

const policies = [
  { minimum_shadow_requests: -1 },
  { maximum_shadow_error_rate: 1.1 },
  { maximum_shadow_p99_ms: 0 },
  { minimum_shadow_hours: 0 },
  { approvals_for_production: -1 },
  { approvals_by_move: { retry: -1 } },
  { reason: "  " },
];

export function describeRefusals(openDatabase: OpenDatabase): void {
  test.each(refused)("%s is refused: %s", async (_what, code, change) => {
    const { db } = await openDatabase();
    await openEndpointWith(db, 2);
    const before = await db.history.list("exp");
    await expect(apply(db, change)).rejects.toMatchObject({ code });
    expect(await db.history.list("exp")).toEqual(before);
    expect(await db.modelVersions.list("exp")).toHaveLength(2);
    expect(await db.rollouts.getOpen("e2i_exp")).toBeNull();
  });

  test.each(impossible)("a deployment with %o is refused", async ({ code, ...overrides }) => {
    const { db } = await openDatabase();
    await openEndpointWith(db, 1);
    const { operation_id: operation } = await claim(db);
    const deployment = deploymentOf(operation, "d9", 1, overrides);
    await expect(apply(db, { change: "insert_deployment", deployment })).rejects.toMatchObject({ code });
    expect(await db.deployments.get("d9")).toBeNull();
    expect(await db.deployments.get("d1")).toMatchObject({ status: "pending" });
  });

  test.each(policies)("a gate policy with %o is refused", async (overrides) => {
    const { db } = await openDatabase("demo");
    const { policy_id: _id, ...standard } = await db.experiments.getGatePolicy("exp");
    const policy = { ...standard, kind: "demo" as const, ...overrides };
    await expect(db.experiments.setGatePolicy("exp", policy, "tester")).rejects.toMatchObject({
      code: "invalid_request",
    });
    expect(await db.experiments.getGatePolicy("exp")).toMatchObject({ policy_id: "standard" });
  });

  test.each([{ minimum_auc: 0.4 }, { minimum_precision_at_k: 1.1 }, { maximum_fpr: -0.1 }])(
    "an experiment with %o is refused",
    async (overrides) => {
      const { db } = await openDatabase();
      const impossible = { ...experiment, experiment_id: "other", ...overrides };
      await expect(db.experiments.create(impossible, "tester")).rejects.toMatchObject({
        code: "invalid_request",
      });
      expect(await db.experiments.get("other")).toBeNull();
    },
  );

  test("a principal without a name is refused", async () => {
    const { db } = await openDatabase();
    await expect(db.principals.enrol(" ", "token-of-nobody-0123456789")).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  test("what was given out is a copy: changing it changes nothing", async () => {
    const { db } = await openDatabase();
    await registerVersions(db, 1);
    const version = await db.modelVersions.get("mv_1");
    if (version !== null) version.metrics["test_auc"] = 0;
    expect(await db.modelVersions.get("mv_1")).toEqual(versionOf(1));
  });
}
