import { z } from "zod";
import { serverUsageReport } from "../../service/endpoints/server_usage_report.ts";
import { serverUsageSchema } from "../../service/endpoints/server_usage_schemas.ts";
import { shadowPairsReport } from "../../service/endpoints/shadow_pairs_report.ts";
import { shadowPairsSchema } from "../../service/endpoints/shadow_pair_schemas.ts";
import { judgedReport, rolloutOf } from "../../service/judging/judged_report.ts";
import { judgedReportSchema, judgedRequestSchema } from "../../service/judging/judged_schemas.ts";
import { outcomesReportSchema } from "../../service/judging/outcome_schemas.ts";
import { outcomesReport } from "../../service/judging/outcomes_report.ts";
import { billOf } from "../../service/bills/bill_of_materials.ts";
import { billOfMaterialsSchema } from "../../service/bills/bill_schemas.ts";
import { releaseFacts, releaseFactsSchema } from "../../service/release/release_facts.ts";
import { type ApiRoute, apiRoute } from "../api_route.ts";
import { endpointRoute } from "./endpoint_route.ts";
import { ofExperimentNamed, ofServed } from "../access/extents.ts";
import { limit } from "./limit.ts";

const pairs = endpointRoute(
  {
    path: "/v1/endpoints/{endpoint}/pairs",
    summary: "The newest predictions of an endpoint's shadow beside production's on the same requests",
    query: z.strictObject({ limit: limit(1000, 500) }),
    answer: shadowPairsSchema,
  },
  ({ database, predictionLogs }, { params, query }) =>
    shadowPairsReport(database, predictionLogs, params.endpoint, query),
);

const servers = endpointRoute(
  {
    path: "/v1/endpoints/{endpoint}/servers",
    summary: "The servers of an endpoint's deployments, and how close each is to its limits",
    answer: serverUsageSchema,
  },
  ({ database, serverUsage }, { params }) => serverUsageReport(database, serverUsage, params.endpoint),
);

const outcomes = endpointRoute(
  {
    path: "/v1/endpoints/{endpoint}/outcomes",
    summary: "Answers of an endpoint that are kept, and how right both sides were",
    answer: outcomesReportSchema,
  },
  ({ database }, { params }) => outcomesReport(database, params.endpoint),
);

const judgement = apiRoute(
  {
    method: "post",
    path: "/v1/judgements",
    tag: "looking",
    repeated: "reading",
    summary: "Judges a rollout again, look by look, under its own settings or others; nothing is written",
    needs: {
      right: "look",
      of: async ({ database }, { body }) => (await rolloutOf(database, body.target))?.experiment_id ?? null,
    },
    body: judgedRequestSchema,
    answer: judgedReportSchema,
  },
  ({ database }, { body }) => judgedReport(database, body),
);

const release = apiRoute(
  {
    method: "get",
    path: "/v1/experiments/{experiment}/releases/{run}",
    tag: "looking",
    summary: "How far a run is on its way to production: its version, and what serves it",
    needs: { right: "look", of: ofExperimentNamed },
    params: z.strictObject({ experiment: z.string(), run: z.string() }),
    answer: releaseFactsSchema,
  },
  ({ database }, { params }) => releaseFacts(database, params.experiment, params.run),
);

const bill = apiRoute(
  {
    method: "get",
    path: "/v1/bills/{served}",
    tag: "looking",
    summary: "The bill of materials of a version or a deployment, as CycloneDX 1.6",
    needs: { right: "look", of: ofServed },
    params: z.strictObject({ served: z.string() }),
    answer: billOfMaterialsSchema,
  },
  (parts, { params }) => billOf(parts, params.served),
);

export const detailRoutes: ApiRoute[] = [pairs, servers, outcomes, judgement, release, bill];
