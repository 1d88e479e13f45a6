import { decideRegister } from "./decide.ts";
import { type RegisterFacts } from "./facts.ts";
import { filesToRegister } from "./files.ts";
import type { RegisterRequest } from "../../domain/requests.ts";
import { type Planner, plannerFor } from "../planner.ts";
import type { Parts } from "../../ports/parts.ts";
import type { CallOptions } from "../../ports/call_options.ts";

/** Registers a finished run as a version at development, pinned to the digest of its files. */
export function registerPlanner(parts: Parts): Planner {
  return plannerFor("register", async (request, context, options) =>
    decideRegister(request, await gather(parts, request, options), context),
  );
}

/** The registry is only asked once the database's facts allow the registration. */
async function gather(parts: Parts, request: RegisterRequest, options: CallOptions): Promise<RegisterFacts> {
  const { database, registry } = parts;
  const { experiment_id, mlflow_run_id, mlflow_model_name: name, mlflow_model_version: version } = request;
  const [experiment, policy, registered_before, production] = await Promise.all([
    database.experiments.get(experiment_id),
    database.experiments.getGatePolicy(experiment_id),
    database.modelVersions.getByRun(experiment_id, mlflow_run_id),
    database.modelVersions.getProduction(experiment_id),
  ]);
  const isRegistered = registered_before !== null && registered_before.stage !== "archived";
  if (experiment === null || isRegistered) {
    return { experiment, policy, registered_before, run: null, given_version: null, production };
  }
  const given_version =
    name === null || version === null ? null : await registry.describeVersion(name, version, options);
  const files = filesToRegister(request, { registered_before, given_version });
  const run = await registry.describeRun(mlflow_run_id, { ...options, files });
  return { experiment, policy, registered_before, run, given_version, production };
}
