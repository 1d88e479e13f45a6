import { decideRegister, type RegisterFacts } from "../domain/decide_register.ts";
import type { RegisterRequest } from "../domain/requests.ts";
import type { Planner } from "../operation_runner.ts";
import type { Parts } from "../parts.ts";
import type { CallOptions } from "../ports.ts";
import { plannerFor } from "./planner.ts";

/** Registers a finished run as a version at development, pinned to the digest of its files. */
export function registerPlanner(parts: Parts): Planner {
  return plannerFor("register", async (request, context, options) =>
    decideRegister(request, await gather(parts, request, options), context),
  );
}

/** The registry is asked only about what the database lets through. */
async function gather(parts: Parts, request: RegisterRequest, options: CallOptions): Promise<RegisterFacts> {
  const { database, registry } = parts;
  const { experiment_id, mlflow_run_id, mlflow_model_name: name, mlflow_model_version: version } = request;
  const [experiment, registered_before, production] = await Promise.all([
    database.experiments.get(experiment_id),
    database.modelVersions.getByRun(experiment_id, mlflow_run_id),
    database.modelVersions.getProduction(experiment_id),
  ]);
  if (experiment === null || registered_before !== null) {
    return { experiment, registered_before, run: null, given_version: null, production };
  }
  const [run, given_version] = await Promise.all([
    registry.describeRun(mlflow_run_id, options),
    name === null || version === null ? null : registry.describeVersion(name, version, options),
  ]);
  return { experiment, registered_before, run, given_version, production };
}
