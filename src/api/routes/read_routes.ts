import { z } from "zod";
import { instantSchema } from "../../agents/model_deployer/domain/entities.ts";
import {
  endpointViewSchema,
  looksReportSchema,
  weightsReportSchema,
} from "../../service/endpoints/endpoint_schemas.ts";
import {
  endpointView,
  endpointViews,
  looksReport,
  weightsReport,
} from "../../service/endpoints/endpoint_views.ts";
import { gatherStatus } from "../../service/status/gather_status.ts";
import { historyReport } from "../../service/status/history_report.ts";
import {
  deploymentsReportSchema,
  statusReportSchema,
  versionsReportSchema,
} from "../../service/report_schemas.ts";
import { experimentReportSchema, experimentsReportSchema } from "../../service/policies/policy_schemas.ts";
import { historyReportSchema } from "../../service/status/history_schemas.ts";
import { unknownEndpoint, unknownExperiment } from "../../service/problems/unknown_name.ts";
import { ofEndpoint, ofExperimentNamed, ofRollout, ofSubject } from "../access/extents.ts";
import type { ApiParts } from "../api_parts.ts";
import { ANY, type ApiRoute, apiRoute } from "../api_route.ts";
import { endpointRoute } from "./endpoint_route.ts";
import { limit } from "./limit.ts";

const ofExperiment = z.strictObject({ experiment: z.string() });

const endpoints = apiRoute(
  {
    method: "get",
    path: "/v1/endpoints",
    tag: "looking",
    needs: { right: "look", of: "any" },
    summary: "All endpoints: traffic, health, figures, open rollouts, what waits",
    answer: z.strictObject({ endpoints: z.array(endpointViewSchema) }),
  },
  async ({ database, vitalsOf, refreshVitals }, { sees }) => {
    await refreshVitals();
    const views = await endpointViews(database, null, vitalsOf);
    return { endpoints: views.filter((one) => sees(one.experiment_id)) };
  },
);

const endpoint = endpointRoute(
  {
    path: "/v1/endpoints/{endpoint}",
    summary: "One endpoint",
    answer: endpointViewSchema,
  },
  async ({ database, vitalsOf, refreshVitals }, { params }) => {
    await refreshVitals();
    return endpointView(database, params.endpoint, vitalsOf);
  },
);

const weights = endpointRoute(
  {
    path: "/v1/endpoints/{endpoint}/weights",
    summary: "The weights that the router acknowledged, each with who, why and the figures of its moment",
    query: z.strictObject({ since: instantSchema.optional(), limit: limit(5000, 500) }),
    answer: weightsReportSchema,
  },
  ({ database }, { params, query }) =>
    weightsReport(database, params.endpoint, { since: query.since ?? null, limit: query.limit }),
);

const looks = apiRoute(
  {
    method: "get",
    path: "/v1/rollouts/{rollout}/looks",
    tag: "looking",
    needs: { right: "look", of: ofRollout },
    summary: "What the judge saw of a rollout, look by look, with the threshold",
    params: z.strictObject({ rollout: z.string() }),
    query: z.strictObject({ since: instantSchema.optional(), limit: limit(5000, 1000) }),
    answer: looksReportSchema,
  },
  ({ database }, { params, query }) =>
    looksReport(database, params.rollout, { since: query.since ?? null, limit: query.limit }),
);

const deployments = endpointRoute(
  {
    path: "/v1/endpoints/{endpoint}/deployments",
    summary: "The deployments of an endpoint, newest first",
    answer: deploymentsReportSchema,
  },
  async ({ database }, { params }) => {
    const found = await database.deployments.listForEndpoint(params.endpoint);
    if (found.length > 0 || (await database.endpoints.get(params.endpoint)) !== null)
      return { deployments: found };
    throw await unknownEndpoint(params.endpoint, database);
  },
);

const status = apiRoute(
  {
    method: "get",
    path: "/v1/status",
    tag: "looking",
    needs: {
      right: "look",
      of: async (parts, { query: { endpoint } }) =>
        endpoint === undefined ? ANY : ofEndpoint(parts, { params: { endpoint } }),
    },
    summary: "Traffic, rollouts, verdicts, servers and open operations, as `status --json` has them",
    description: "For whoever may look at all experiments with what concerns the machine, too.",
    query: z.strictObject({ endpoint: z.string().optional() }),
    answer: statusReportSchema,
  },
  async ({ statusSource, database }, { query, sees }) => {
    const found = await gatherStatus(statusSource, query.endpoint ?? null, sees(null) ? null : sees);
    if (query.endpoint === undefined || found.endpoints.length > 0) return found;
    throw await unknownEndpoint(query.endpoint, database);
  },
);

const history = apiRoute(
  {
    method: "get",
    path: "/v1/history/{subject}",
    tag: "looking",
    needs: { right: "look", of: ofSubject },
    summary: "What was in production when and why, of an endpoint or an experiment",
    params: z.strictObject({ subject: z.string() }),
    query: z.strictObject({ at: z.string().optional(), limit: limit(1000, 50) }),
    answer: historyReportSchema,
  },
  (parts, { params, query }) => historyReport(parts, params.subject, query),
);

const experiments = apiRoute(
  {
    method: "get",
    path: "/v1/experiments",
    tag: "looking",
    needs: { right: "look", of: "any" },
    summary: "All experiments",
    answer: experimentsReportSchema,
  },
  async ({ database }, { sees }) => {
    const found = await database.overview.experiments();
    return { experiments: found.filter((one) => sees(one.experiment_id)) };
  },
);

const experiment = apiRoute(
  {
    method: "get",
    path: "/v1/experiments/{experiment}",
    tag: "looking",
    needs: { right: "look", of: ofExperimentNamed },
    summary: "An experiment with its criteria and the gate policy in force",
    params: ofExperiment,
    answer: experimentReportSchema,
  },
  ({ database }, { params }) => experimentOf(database, params.experiment),
);

const versions = apiRoute(
  {
    method: "get",
    path: "/v1/experiments/{experiment}/versions",
    tag: "looking",
    needs: { right: "look", of: ofExperimentNamed },
    summary: "The versions of an experiment and their stages",
    params: ofExperiment,
    answer: versionsReportSchema,
  },
  async ({ database }, { params }) => {
    await experimentOf(database, params.experiment);
    return { versions: await database.modelVersions.list(params.experiment) };
  },
);

async function experimentOf(database: ApiParts["database"], id: string) {
  const found = await database.experiments.get(id);
  if (found === null) throw await unknownExperiment(id, database);
  return { experiment: found, gate_policy: await database.experiments.getGatePolicy(id) };
}

export const readRoutes: ApiRoute[] = [
  endpoints,
  endpoint,
  weights,
  looks,
  deployments,
  status,
  history,
  experiments,
  experiment,
  versions,
];
