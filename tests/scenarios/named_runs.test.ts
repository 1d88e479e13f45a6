import { expect, test } from "vitest";
import { createTestDeployer, EXPERIMENT, liveThread } from "../../src/testing/index.ts";

/** The names of all runs that a tracer sees, in their order. */
class Names {
  readonly all: string[] = [];

  readonly handler = {
    handleChainStart: (...told: unknown[]) => {
      this.all.push(String(told[7]));
    },
  };
}

test("a trace of a run names the graph, its nodes and its branches in words of their own", async () => {
  const given = await createTestDeployer();
  const names = new Names();
  const request = {
    deployment_action: "register",
    experiment_id: EXPERIMENT,
    mlflow_run_id: "run1",
  } as const;
  await given.graph.invoke(request, { ...liveThread(), callbacks: [names.handler] });
  expect(names.all).toEqual([
    "model_deployer",
    "__start__",
    "validate_request",
    "route_by_action",
    "register",
    "operation",
    "__start__",
    "claim",
    "after_claim",
    "plan",
    "after_plan",
    "carry_out",
    "report",
  ]);
});
