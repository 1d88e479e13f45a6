import { type NextStep, nextStepSchema } from "../../../base/next_step.ts";

import type { ActionRequest } from "../../domain/requests.ts";

const WORDS = '"..."';

/** Fields of a state, `deployment_action` among them. */
export type AskedState = { deployment_action: string } & Record<string, unknown>;

/** A way out that is a request to the agent; fields that are undefined are left out. */
export function ask(request: AskedState, why: string, who: NextStep["who"] = "caller"): NextStep {
  const asked: unknown = JSON.parse(JSON.stringify(request));
  return nextStepSchema.parse({
    action: request.deployment_action,
    request: asked,
    command: commandOf(request),
    who,
    why,
  });
}

/** Commands that show the names there are, for whoever named something that does not exist. */
export const listing = {
  endpoints: shows("status", "lists endpoints, their deployments and open rollouts"),
  deployments: shows(`deployments ${WORDS}`, "lists an endpoint's deployments, those that have ended too"),
  versions: shows(
    `versions ${WORDS}`,
    "lists an experiment's versions; a run gets one when it is registered",
  ),
};

function shows(words: string, why: string): NextStep {
  return { action: "look_up", request: null, command: `model-deployer ${words}`, who: "caller", why };
}

/** A person creates the experiment, since its criteria are theirs to choose. */
export function creation(experimentId: string): NextStep {
  return {
    action: "create_experiment",
    request: null,
    command: `model-deployer experiments create ${experimentId} --name ${WORDS} --target ${WORDS}`,
    who: "person",
    why: "an experiment says what its models predict and what production asks of them",
  };
}

/** Somebody other than the requester approves what an operation waits with. */
export function approval(operationId: string): NextStep {
  return {
    action: "approve",
    request: null,
    command: `model-deployer approve ${operationId} --reason "..."`,
    who: "somebody_else",
    why: `lets ${operationId} go on, when the same request is made again or resume-operation carries it on`,
  };
}

/** The same request as one of its own, under no key; what came with it from the pipeline's neighbours comes with that. */
export function again(request: ActionRequest, why: string): NextStep[] {
  const { action, ...fields } = request;
  if (action === "advance") return [];
  const isAsked = ([name, value]: [string, unknown]) => value !== null && !BESIDE.includes(name);
  const asked = Object.fromEntries(Object.entries(fields).filter(isAsked));
  return [ask({ deployment_action: action, ...asked }, why)];
}

const BESIDE = ["shap_evidence", "endpoint_beside"];

/** Whoever may act carries on what was cut off. */
export function resumption(operationId: string): NextStep {
  return {
    action: "resume_operation",
    request: null,
    command: `model-deployer resume-operation ${operationId}`,
    who: "caller",
    why: `brings ${operationId} to its end without a worker`,
  };
}

/** The command that asks for the same; reasons are for whoever types it. */
function commandOf(request: AskedState): string {
  const text = (key: string): string => {
    const value = request[key];
    return typeof value === "string" ? value : "";
  };
  const option = (name: string, value: string) => (value === "" ? [] : [name, value]);
  const reason = ["--reason", WORDS];
  const words = (): string[] => {
    switch (request.deployment_action) {
      case "register":
        return ["apply", "register", text("experiment_id"), text("mlflow_run_id")];
      case "promote":
        return ["apply", "promote", text("model_version_id"), text("target_stage"), ...reason];
      case "deploy": {
        const preset = request["rollout"] === "immediate" ? ["--rollout", "immediate"] : [];
        return ["apply", "deploy", text("model_version_id"), text("target_stage"), ...preset];
      }
      case "rollback": {
        const target = text("endpoint_name") === "" ? text("current_deployment_id") : text("endpoint_name");
        const words = text("condemned_because") === "" ? [] : ["--condemned-because", WORDS];
        return ["rollback", target, ...option("--to", text("rollback_to")), ...words, ...reason];
      }
      case "remove":
      case "restart":
      case "update":
        return [request.deployment_action, text("deployment_id"), ...reason];
      default: {
        const target = text("rollout_id") === "" ? text("endpoint_name") : text("rollout_id");
        return [request.deployment_action.replaceAll("_", "-"), target, ...reason];
      }
    }
  };
  return ["model-deployer", ...words()].join(" ");
}
