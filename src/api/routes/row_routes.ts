import { z } from "zod";
import { Deadline } from "../../agents/base/deadline.ts";
import { disagreementsReport } from "../../service/rows/disagreements_report.ts";
import { experimentOfReplay, replayReport } from "../../service/rows/replay_report.ts";
import {
  disagreementsSchema,
  MOST_ROWS,
  replayRequestSchema,
  replaySchema,
} from "../../service/rows/row_schemas.ts";
import { type ApiRoute, apiRoute } from "../api_route.ts";
import { endpointRoute } from "./endpoint_route.ts";
import { limit } from "./limit.ts";

/** With the rows that are under way at its end, below the minute that a command line waits. */
const SENDING_MS = 20_000;

const disagreements = endpointRoute(
  {
    path: "/v1/endpoints/{endpoint}/disagreements",
    summary: "Kept requests of an endpoint whose answers differ most between two deployments",
    query: z.strictObject({ limit: limit(MOST_ROWS, 20) }),
    answer: disagreementsSchema,
  },
  (parts, { params, query }) => disagreementsReport(parts, params.endpoint, query),
);

const replay = apiRoute(
  {
    method: "post",
    path: "/v1/replays",
    tag: "acting",
    repeated: "reading",
    summary: "Sends rows to a version that is served without traffic, and tells what it answers",
    description:
      "The newest rows that an endpoint of the version's experiment has kept, or rows of the caller's own, past the router. After 20 s no more are sent: `sent` of the `chosen` ones were then, the first of them, and `why_partial` says so. It ends when its caller goes away.",
    needs: { right: "act", of: ({ database }, { body }) => experimentOfReplay(database, body) },
    body: replayRequestSchema,
    answer: replaySchema,
  },
  (parts, { body, signal }) => {
    const deadline = new Deadline(SENDING_MS, { of: "a replay through the API", until: signal });
    const { server } = parts.statusSource;
    return parts.replays(() => replayReport({ ...parts, server }, body, { signal, deadline }));
  },
);

export const rowRoutes: ApiRoute[] = [disagreements, replay];
