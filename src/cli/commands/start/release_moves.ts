import type { Deployment, ModelVersion } from "../../../agents/model_deployer/domain/entities.ts";
import type { ReleaseFacts } from "../../../service/release/release_facts.ts";
import type { ModelDeployerRequest } from "../../../agents/model_deployer/state/state.ts";

/** The next moves of a run on its way to production, by how things stand now. */
export type ReleaseMove =
  | { move: "act"; doing: string; request: ModelDeployerRequest }
  | { move: "done"; version: ModelVersion; deployment: Deployment }
  | { move: "over"; version: ModelVersion };

/** Register, staging, shadow, a mirrored shadow, production, and a rollout; what is under way is asked for again, and goes on. */
export function nextReleaseMove(facts: Omit<ReleaseFacts, "endpoint">): ReleaseMove {
  const { version, experiment_id, mlflow_run_id } = facts;
  if (version === null) {
    const request = { deployment_action: "register", experiment_id, mlflow_run_id } as const;
    return { move: "act", doing: `registering run ${mlflow_run_id}`, request };
  }
  const name = `${version.model_name} version ${version.version}`;
  const served = facts.deployments.find(
    ({ target_stage, status, deployment_id }) =>
      target_stage === version.stage && (status === "active" || deployment_id === facts.candidate_id),
  );
  switch (version.stage) {
    case "development":
      return promotion(version, "staging", name);
    case "staging":
      return promotion(version, "shadow", name);
    case "shadow":
      return served === undefined
        ? deployment(version, "shadow", name)
        : promotion(version, "production", name);
    case "production":
      return served === undefined
        ? deployment(version, "production", name)
        : { move: "done", version, deployment: served };
    case "archived":
      return { move: "over", version };
  }
}

function promotion(
  { model_version_id }: ModelVersion,
  target_stage: "staging" | "shadow" | "production",
  name: string,
): ReleaseMove {
  const promotion_reason = "released";
  const request = { deployment_action: "promote", model_version_id, target_stage, promotion_reason } as const;
  return { move: "act", doing: `moving ${name} to ${target_stage}`, request };
}

function deployment(
  { model_version_id }: ModelVersion,
  target_stage: "shadow" | "production",
  name: string,
): ReleaseMove {
  const request = { deployment_action: "deploy", model_version_id, target_stage } as const;
  return { move: "act", doing: `serving ${name} at ${target_stage}`, request };
}
