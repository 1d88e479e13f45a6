import { expect, test } from "vitest";
import { nextReleaseMove } from "../../../../src/cli/commands/start/release_moves.ts";
import { aDeployment, aVersion } from "../../../support/given/given_facts.ts";

const run = { experiment_id: "remission", mlflow_run_id: "run1", candidate_id: null };

function asked(stage: Parameters<typeof aVersion>[1], deployments = [aDeployment(1, { status: "failed" })]) {
  const next = nextReleaseMove({ ...run, version: aVersion(1, stage), deployments });
  return next.move === "act" ? next.request : next.move;
}

test("a run that is not registered is registered first", () => {
  expect(nextReleaseMove({ ...run, version: null, deployments: [] })).toMatchObject({
    move: "act",
    request: { deployment_action: "register", experiment_id: "remission", mlflow_run_id: "run1" },
  });
});

test("each stage leads to the next one, and a shadow is served before production is asked for", () => {
  expect(asked({ stage: "development" })).toMatchObject({ target_stage: "staging" });
  expect(asked({ stage: "staging" })).toMatchObject({ target_stage: "shadow" });
  expect(asked({ stage: "shadow" })).toMatchObject({ deployment_action: "deploy", target_stage: "shadow" });
  const shadow = aDeployment(1, { target_stage: "shadow", status: "active" });
  expect(asked({ stage: "shadow" }, [shadow])).toMatchObject({
    deployment_action: "promote",
    target_stage: "production",
  });
});

test("a server that only starts is asked for again, and a shadow's is none of production's", () => {
  const starting = aDeployment(1, { target_stage: "shadow", status: "deploying" });
  expect(asked({ stage: "shadow" }, [starting])).toMatchObject({ deployment_action: "deploy" });
  const shadow = aDeployment(1, { target_stage: "shadow", status: "active" });
  expect(asked({ stage: "production" }, [shadow])).toMatchObject({
    deployment_action: "deploy",
    target_stage: "production",
  });
});

test("what serves, or takes traffic step by step, has arrived; what has left production does not come back by itself", () => {
  const serving = aDeployment(1, { target_stage: "production", status: "active" });
  expect(asked({ stage: "production" }, [serving])).toBe("done");
  const candidate = aDeployment(1, { target_stage: "production", status: "deploying" });
  const rolling = { ...run, candidate_id: candidate.deployment_id };
  const version = aVersion(1, { stage: "production" });
  expect(nextReleaseMove({ ...rolling, version, deployments: [candidate] }).move).toBe("done");
  expect(asked({ stage: "archived" })).toBe("over");
});
