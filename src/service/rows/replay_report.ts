import type { Deadline } from "../../agents/base/deadline.ts";
import { replay } from "../../agents/model_deployer/collection/row_keeper.ts";
import type { ModelVersion } from "../../agents/model_deployer/domain/entities.ts";
import { hasFailed } from "../../agents/model_deployer/domain/evidence/kept_rows.ts";
import { isStagingEndpoint } from "../../agents/model_deployer/domain/values/names.ts";
import { InvalidRequestError, NotFoundError } from "../../agents/model_deployer/errors.ts";
import { listing } from "../../agents/model_deployer/planning/ways_out/next_steps.ts";
import { stepsTowardsStage } from "../../agents/model_deployer/planning/ways_out/stage_steps.ts";
import type { RowServers } from "../../agents/model_deployer/ports/evidence/row_ports.ts";
import type { ModelServer } from "../../agents/model_deployer/ports/model_server_port.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import { InterruptedError } from "../actions/interrupted.ts";
import { rowsOfEndpoint } from "./rows_of_endpoint.ts";
import type { Replay, ReplayRequest } from "./row_schemas.ts";
import { NO_ROWS, type RowKeeping } from "./unkept_rows.ts";

export interface ReplayParts extends RowKeeping {
  database: Pick<
    DeployerDatabase,
    "deployments" | "endpoints" | "experiments" | "keptRows" | "modelVersions"
  >;
  server: Pick<ModelServer, "observe">;
}

interface ReplayOptions {
  /** Ends it without an answer. */
  signal: AbortSignal;
  /** When no more rows are sent; those that are under way are answered. */
  deadline: Deadline;
}

/** Candidate and baseline answer a row within twice the limit of a prediction; a server that hangs is waited for no longer. */
const LAST_ROWS_MS = 30_000;

/**
 * Sends rows to a server of the version that has no traffic, past the router. What serves now is asked for those that it
 * answers with an error.
 * @throws NotFoundError | InvalidRequestError | ServerNotReadyError | ServiceUnavailableError | InterruptedError
 */
export async function replayReport(
  parts: ReplayParts,
  { model_version_id, from, limit }: ReplayRequest,
  { signal, deadline }: ReplayOptions,
): Promise<Replay> {
  const { database, rowServers } = parts;
  if (!rowServers) throw new InvalidRequestError(`No row can be replayed: ${NO_ROWS}.`);
  const longestMs = Math.ceil(deadline.remainingMs) + LAST_ROWS_MS;
  const longest = AbortSignal.any([signal, AbortSignal.timeout(longestMs)]);
  const version = await database.modelVersions.get(model_version_id);
  if (version === null) throw unknownVersion(model_version_id);
  const deployment = await withoutTraffic({ ...parts, rowServers }, version, longest);
  const chosen =
    "rows" in from
      ? { rows: from.rows, servers: [] }
      : await rowsOfEndpoint(parts, version, { name: from.endpoint_name, limit });
  const rows = chosen.rows.slice(0, limit);
  const sides = { candidate: deployment, baseline: await baselineOf(rowServers, chosen.servers, deployment) };
  const answered = await replay(rowServers, rows, sides, { signal: longest, until: deadline.signal });
  if (signal.aborted) throw new InterruptedError("Interrupted before its end.");
  return {
    model_version_id,
    deployment_id: deployment,
    from: "rows" in from ? null : from.endpoint_name,
    chosen: rows.length,
    sent: answered.length,
    why_partial: answered.length < rows.length ? deadline.end : null,
    failed: answered.filter(({ candidate }) => hasFailed(candidate)).length,
    rows: answered.map((one, index) => ({ ...one, input: rows[index]?.input ?? null })),
  };
}

/**
 * The experiment that a replay is of; null where the endpoint is none of the version's, which only a role for all
 * experiments is told of.
 */
export async function experimentOfReplay(
  { modelVersions, endpoints }: Pick<DeployerDatabase, "modelVersions" | "endpoints">,
  { model_version_id, from }: Pick<ReplayRequest, "model_version_id" | "from">,
): Promise<string | null> {
  const experiment = (await modelVersions.get(model_version_id))?.experiment_id ?? null;
  if ("rows" in from) return experiment;
  const endpoint = await endpoints.get(from.endpoint_name);
  return endpoint?.experiment_id === experiment ? experiment : null;
}

const unknownVersion = (id: string): NotFoundError =>
  new NotFoundError(`There is no version ${id}; versions <experiment> lists those that there are.`, {
    next: [listing.versions],
  });

async function withoutTraffic(
  { database, server, rowServers }: ReplayParts & { rowServers: RowServers },
  version: ModelVersion,
  signal: AbortSignal,
): Promise<string> {
  const { model_version_id: id, stage } = version;
  let elsewhere: string | null = null;
  for (const { deployment_id, endpoint_name } of await database.deployments.listForVersion(id)) {
    const weights = (await database.endpoints.get(endpoint_name))?.weights ?? {};
    if (!isStagingEndpoint(endpoint_name) && (weights[deployment_id] ?? 0) > 0) continue;
    if ((await server.observe(deployment_id, { signal })).state !== "ready") continue;
    if (await rowServers.takesRows(deployment_id)) return deployment_id;
    elsewhere = deployment_id;
  }
  if (elsewhere !== null) {
    throw new InvalidRequestError(`No row can be sent to ${elsewhere} of ${id}: ${NO_ROWS}.`);
  }
  const isOnItsWay = ["development", "staging", "shadow"].includes(stage);
  const way = isOnItsWay
    ? `deploy it to staging or shadow first (deploy ${id} staging)`
    : `it is at ${stage}, and only versions at staging and shadow are served so`;
  const next = isOnItsWay ? stepsTowardsStage(version, "staging", "rows are to be sent to it") : [];
  throw new NotFoundError(`No server of ${id} runs without traffic: ${way}.`, { next });
}

/** The first of those that serve where the rows come from, unless it is the candidate itself or takes no rows. */
async function baselineOf(
  rowServers: RowServers,
  servers: readonly string[],
  candidate: string,
): Promise<string | null> {
  const [first] = servers.filter((id) => id !== candidate);
  return first !== undefined && (await rowServers.takesRows(first)) ? first : null;
}
