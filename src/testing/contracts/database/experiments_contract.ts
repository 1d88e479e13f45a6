import { expect, test } from "vitest";
import { ConflictError, InvalidRequestError, NotFoundError } from "../../../agents/model_deployer/errors.ts";
import { experiment } from "./fixtures.ts";
import type { OpenDatabase } from "./harness.ts";

const demo = {
  kind: "demo" as const,
  minimum_shadow_hours: 0.001,
  minimum_shadow_requests: 50,
  maximum_shadow_error_rate: 0.01,
  maximum_shadow_p99_ms: 150,
  maximum_shadow_disagreement: null,
  approvals_for_production: 1,
  reason: "The demo takes minutes, not days.",
};

export function describeExperiments(open: OpenDatabase): void {
  describeCriteria(open);
  describePolicies(open);
  describeDemoPolicies(open);
}

function describeCriteria(open: OpenDatabase): void {
  test("the newest criteria hold in the place of all before, and the experiment stays as it is", async () => {
    const { db } = await open();
    await db.experiments.create(experiment, "tester");
    const rmse = { metric: "rmse", bound: 0.3, direction: "at_most" } as const;
    const auc = { metric: "val/auc", bound: 0.8, direction: "at_least" } as const;
    const by = { reason: "agreed", set_by: "tester" };
    await db.experiments.setCriteria(experiment.experiment_id, [rmse], by);
    await db.experiments.setCriteria(experiment.experiment_id, [auc, rmse], by);
    const found = await db.experiments.get(experiment.experiment_id);
    expect(found).toEqual({ ...experiment, criteria: [auc, rmse] });
    await db.experiments.create(experiment, "tester");
    await db.experiments.setCriteria(experiment.experiment_id, [], by);
    expect(await db.experiments.get(experiment.experiment_id)).toEqual(experiment);
    await expect(db.experiments.setCriteria("nowhere", [rmse], by)).rejects.toMatchObject({
      retryable: false,
    });
    await expect(
      db.experiments.setCriteria(experiment.experiment_id, [rmse], { ...by, reason: " " }),
    ).rejects.toMatchObject({ retryable: false });
  });

  test("an experiment is created once; other content under its id is a conflict that names the field", async () => {
    const { db } = await open();
    await db.experiments.create(experiment, "somebody else");
    expect(await db.experiments.get("exp")).toEqual(experiment);
    expect(await db.experiments.get("none")).toBeNull();
    await expect(db.experiments.create({ ...experiment, minimum_auc: 0.6 }, "tester")).rejects.toThrow(
      ConflictError,
    );
    await expect(db.experiments.create({ ...experiment, minimum_auc: 0.6 }, "tester")).rejects.toThrow(
      /minimum_auc/,
    );
    const impossible = db.experiments.create(
      { ...experiment, experiment_id: "e2", minimum_auc: 1.5 },
      "tester",
    );
    await expect(impossible).rejects.toThrow(InvalidRequestError);
  });
}

function describePolicies(open: OpenDatabase): void {
  test("without a policy of its own an experiment has the standard one", async () => {
    const { db } = await open();
    expect(await db.experiments.getGatePolicy("exp")).toMatchObject({
      policy_id: "standard",
      minimum_shadow_hours: 24,
      approvals_for_production: 1,
    });
  });

  test("a policy says how many approvals single moves need, and is read as it was set", async () => {
    const { db } = await open("demo");
    const own = { ...demo, approvals_by_move: { promote_now: 2, archival: 0 }, judge: { margin: 0.05 } };
    const stored = await db.experiments.setGatePolicy("exp", own, "tester");
    expect(stored.approvals_by_move).toEqual({ promote_now: 2, archival: 0 });
    expect(stored.judge).toEqual({ margin: 0.05 });
    expect(await db.experiments.getGatePolicy("exp")).toEqual(stored);
    await db.experiments.setGatePolicy("exp", demo, "tester");
    expect((await db.experiments.getGatePolicy("exp")).approvals_by_move).toEqual({});
  });

  test("a policy names the formats of models, and one that would allow none is refused", async () => {
    const { db } = await open("demo");
    const policy = { ...demo, formats: ["skops" as const, "pickle" as const] };
    const stored = await db.experiments.setGatePolicy("exp", policy, "tester");
    expect(stored.formats).toEqual(["skops", "pickle"]);
    expect(await db.experiments.getGatePolicy("exp")).toEqual(stored);
    const none = db.experiments.setGatePolicy("exp", { ...demo, formats: [] }, "tester");
    await expect(none).rejects.toThrow(/The gate policy is not valid: formats/);
    expect(await db.experiments.getGatePolicy("exp")).toEqual(stored);
    await db.experiments.setGatePolicy("exp", demo, "tester");
    expect((await db.experiments.getGatePolicy("exp")).formats).toBeNull();
  });

  test("a policy with a limit that is no number is refused, and the one before it holds", async () => {
    const { db } = await open("demo");
    const limits = ["minimum_shadow_hours", "minimum_shadow_requests", "maximum_shadow_p99_ms"] as const;
    for (const limit of limits) {
      for (const odd of [Number.NaN, Infinity]) {
        const policy = { ...demo, [limit]: odd };
        await expect(db.experiments.setGatePolicy("exp", policy, "tester")).rejects.toThrow(
          InvalidRequestError,
        );
      }
    }
    expect((await db.experiments.getGatePolicy("exp")).policy_id).toBe("standard");
  });
}

function describeDemoPolicies(open: OpenDatabase): void {
  test("a demo policy is refused in a standard database", async () => {
    const { db } = await open("standard");
    await expect(db.experiments.setGatePolicy("exp", demo, "tester")).rejects.toThrow(InvalidRequestError);
    expect((await db.experiments.getGatePolicy("exp")).policy_id).toBe("standard");
  });

  test("a standard policy below 24 h is refused everywhere", async () => {
    for (const kind of ["standard", "demo"] as const) {
      const { db } = await open(kind);
      const short = { ...demo, kind: "standard" as const, minimum_shadow_hours: 23.9 };
      await expect(db.experiments.setGatePolicy("exp", short, "tester")).rejects.toThrow(
        /minimum_shadow_hours: 24 or more \(given /,
      );
    }
  });

  test("in a demo database the newest policy holds", async () => {
    const { db } = await open("demo");
    const first = await db.experiments.setGatePolicy("exp", demo, "tester");
    expect(await db.experiments.getGatePolicy("exp")).toEqual(first);
    const second = await db.experiments.setGatePolicy(
      "exp",
      { ...demo, kind: "standard", minimum_shadow_hours: 48 },
      "t",
    );
    expect(await db.experiments.getGatePolicy("exp")).toEqual(second);
    await expect(db.experiments.setGatePolicy("none", demo, "tester")).rejects.toThrow(NotFoundError);
  });
}
