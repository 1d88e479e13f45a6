import { z } from "zod";
import { criterionSchema, experimentSchema } from "../../agents/model_deployer/domain/entities.ts";
import { gatePolicySchema } from "../../agents/model_deployer/domain/models/gate_policy.ts";
import { experimentIdSchema } from "../../agents/model_deployer/domain/values/requested_values.ts";
import { ALL } from "../../agents/model_deployer/domain/access/roles.ts";
import {
  recordedOutcomesSchema,
  toldOutcomeSchema,
} from "../../agents/model_deployer/domain/evidence/late_outcomes.ts";
import {
  MOST_OUTCOMES_AT_ONCE,
  recordOutcomes,
} from "../../agents/model_deployer/collection/record_outcomes.ts";
import { KEEPING_ROWS } from "../../agents/model_deployer/domain/servers/engines.ts";
import { requireEngines, checkKeptRows } from "../../service/policies/checked_engines.ts";
import { checkMetricsOf } from "../../service/policies/checked_metrics.ts";
import { policyReportOf } from "../../service/policies/policy_report.ts";
import { experimentReportSchema, policyReportSchema } from "../../service/policies/policy_schemas.ts";
import { unknownExperiment } from "../../service/problems/unknown_name.ts";
import type { ApiParts } from "../api_parts.ts";
import { type ApiRoute, apiRoute } from "../api_route.ts";
import { ofEndpoint, ofExperimentNamed } from "../access/extents.ts";

const named = z.strictObject({ experiment: z.string() });
const reason = z.string().trim().min(1).max(2000);

const create = apiRoute(
  {
    method: "post",
    path: "/v1/experiments",
    tag: "settings",
    needs: { right: "configure", of: async (_, { body }) => body.experiment_id },
    summary: "Describes an experiment; the same again changes nothing, another one of its id is refused",
    body: experimentSchema.omit({ criteria: true }).extend({ experiment_id: experimentIdSchema }),
    answer: experimentReportSchema,
    created: true,
  },
  async ({ database }, { body, caller }) => {
    await database.experiments.create(body, caller.principal, caller.origin);
    return reportOf(database, body.experiment_id);
  },
);

const criteria = apiRoute(
  {
    method: "put",
    path: "/v1/experiments/{experiment}/criteria",
    tag: "settings",
    needs: { right: "configure", of: ofExperimentNamed },
    summary: "Sets the bounds on metrics in the place of the former ones, which stay in the history",
    params: named,
    body: z.strictObject({ criteria: z.array(criterionSchema).max(100), reason }),
    answer: experimentReportSchema,
  },
  async ({ database }, { params: { experiment }, body, caller }) => {
    await reportOf(database, experiment);
    const { principal: set_by, origin } = caller;
    await database.experiments.setCriteria(experiment, body.criteria, {
      reason: body.reason,
      set_by,
      origin,
    });
    return reportOf(database, experiment);
  },
);

const policy = apiRoute(
  {
    method: "get",
    path: "/v1/experiments/{experiment}/policy",
    tag: "settings",
    needs: { right: "look", of: ofExperimentNamed },
    summary: "The gate policy in force",
    params: named,
    answer: policyReportSchema,
  },
  async ({ database, engines }, { params: { experiment: experiment_id } }) => {
    const { gate_policy } = await reportOf(database, experiment_id);
    return policyReportOf(database, engines, experiment_id, gate_policy);
  },
);

const setPolicy = apiRoute(
  {
    method: "put",
    path: "/v1/experiments/{experiment}/policy",
    tag: "settings",
    needs: { right: "configure", of: ofExperimentNamed },
    summary: "Sets a gate policy; what is left out is as in the standard one",
    params: named,
    body: gatePolicySchema.omit({ policy_id: true }),
    answer: policyReportSchema,
  },
  async ({ database, engines, teamMetrics }, { params: { experiment: experiment_id }, body, caller }) => {
    const { gate_policy: before } = await reportOf(database, experiment_id);
    const chosen = { before: before.engines, wanted: body.engines };
    await requireEngines(experiment_id, chosen, engines, database);
    checkKeptRows(before, body, engines, KEEPING_ROWS);
    await checkMetricsOf(experiment_id, before, body, { database, teamMetrics });
    const { principal, origin } = caller;
    const gate_policy = await database.experiments.setGatePolicy(experiment_id, body, principal, origin);
    return policyReportOf(database, engines, experiment_id, gate_policy);
  },
);

const outcomes = apiRoute(
  {
    method: "post",
    path: "/v1/outcomes",
    tag: "acting",
    needs: {
      right: "act",
      of: async (parts, { body: { endpoint_name: endpoint } }) =>
        endpoint === undefined ? ALL : ofEndpoint(parts, { params: { endpoint } }),
    },
    summary:
      "Tells what turned out to be true of answered requests, all of a batch or none; the same again changes nothing",
    description:
      "By the `x-request-id` of each answer. Without `endpoint_name` they may be of any endpoint, which takes the right for all experiments.",
    body: z.strictObject({
      endpoint_name: z.string().optional(),
      outcomes: z.array(toldOutcomeSchema).max(MOST_OUTCOMES_AT_ONCE),
    }),
    answer: recordedOutcomesSchema,
  },
  ({ database }, { body: { endpoint_name, outcomes: told }, caller: { principal: by, origin } }) =>
    recordOutcomes(database, told, { by, origin, ...(endpoint_name !== undefined && { endpoint_name }) }),
);

async function reportOf(database: ApiParts["database"], id: string) {
  const experiment = await database.experiments.get(id);
  if (experiment === null) throw await unknownExperiment(id, database);
  return { experiment, gate_policy: await database.experiments.getGatePolicy(id) };
}

export const settingsRoutes: ApiRoute[] = [create, criteria, policy, setPolicy, outcomes];
