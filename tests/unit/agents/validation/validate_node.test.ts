import { Overwrite } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { validatedUpdate } from "../../../../src/agents/model_deployer/nodes/validate_node.ts";
import { noAnswer } from "../../../../src/agents/model_deployer/state/state.ts";

const request = {
  deployment_action: "rollback",
  current_deployment_id: "deploy_1",
  rollback_reason: "errors",
};
const empty = { errors: [], warnings: [], spans: [] };

test("whatever an earlier run of the thread answered is cleared", () => {
  const answered = {
    ...request,
    ...empty,
    operation_id: "op_1",
    operation_status: "succeeded" as const,
    deployment_plan: {
      ...{ summary: "", steps: [], differences: [], approvals_needed: 0 },
      ...{ generation: 1, notes: [], names: {}, signature: null, expectation: null },
    },
    rollback_successful: true,
    active_deployment_id: "deploy_0",
    degraded: ["the outbox is delivered later"],
    warnings: ["Dry run: nothing was changed."],
  };
  expect(validatedUpdate(answered)).toMatchObject({
    operation_id: null,
    operation_status: null,
    deployment_plan: null,
    rollback_successful: null,
    active_deployment_id: null,
    degraded: [],
    warnings: new Overwrite([]),
  });
});

test("on a fresh thread nothing is written but what was asked", () => {
  const update = validatedUpdate({ ...request, ...empty });
  expect(update).toMatchObject({ status: "in_progress", action_request: { action: "rollback" } });
  expect(Object.keys(update).filter((key) => Object.hasOwn(noAnswer, key))).toEqual([]);
});
