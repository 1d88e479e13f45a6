import { AgentError } from "../../agents/base/agent_error.ts";
import { instantSchema } from "../../agents/model_deployer/domain/entities.ts";
import { InvalidRequestError } from "../../agents/model_deployer/errors.ts";
import type { EpisodicMemory, ProceduralMemory } from "../../agents/model_deployer/ports/memory_ports.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import type { HistoryReport } from "./history_schemas.ts";
import { unknownSubject } from "../problems/unknown_name.ts";
import { rememberedCare } from "./remembered_care.ts";

export interface HistorySource {
  database: DeployerDatabase;
  episodicMemory: Pick<EpisodicMemory, "recent">;
  proceduralMemory: Pick<ProceduralMemory, "experience">;
}

export interface HistoryOptions {
  /** An instant, ISO 8601, whose traffic is asked for too. */
  at?: string | undefined;
  /** The last so many events and memories. */
  limit: number;
}

const MEMORY_MS = 3000;

/**
 * The versions in production, when and why, of an endpoint or an experiment.
 * @throws NotFoundError with the nearest names | InvalidRequestError for an instant that is none
 */
export async function historyReport(
  source: HistorySource,
  subject: string,
  { at, limit }: HistoryOptions,
): Promise<HistoryReport> {
  const { database } = source;
  const endpoint = await database.endpoints.get(subject);
  const experimentId = endpoint?.experiment_id ?? subject;
  if (endpoint === null && (await database.experiments.get(subject)) === null) {
    throw await unknownSubject(subject, database);
  }
  const [events, versions, memory] = await Promise.all([
    database.history.list(experimentId),
    database.modelVersions.list(experimentId),
    recall(source, endpoint === null ? { experiment_id: subject } : { endpoint_name: subject }, limit),
  ]);
  const families = [...new Set(versions.map(({ model_name }) => model_name))];
  const { care, degraded } = await careOf(source, families);
  const concerns = (name: string | null) => endpoint === null || name === null || name === subject;
  return {
    subject,
    experiment_id: experimentId,
    at: at === undefined ? null : await inProduction(source, experimentId, at, concerns),
    events: events
      .filter((event) => concerns(event.endpoint_name))
      .slice(-limit)
      .map(({ experiment_id: _, ...event }) => event),
    ...{ episodes: memory.episodes, care, degraded: [...memory.degraded, ...degraded] },
    versions: Object.fromEntries(
      versions.map((one) => [one.model_version_id, `${one.model_name} v${one.version}`]),
    ),
  };
}

async function inProduction(
  { database }: HistorySource,
  experimentId: string,
  at: string,
  concerns: (name: string) => boolean,
): Promise<HistoryReport["at"]> {
  const parsed = instantSchema.safeParse(at);
  if (!parsed.success) {
    throw new InvalidRequestError(`at: ${at} is no instant; write it as 2026-03-01T12:00:00Z.`);
  }
  const endpoints = (await database.endpoints.list()).filter(
    (one) => one.experiment_id === experimentId && concerns(one.endpoint_name),
  );
  const shares = await Promise.all(
    endpoints.map(async ({ endpoint_name }) =>
      (await database.history.inProductionAt(endpoint_name, parsed.data)).map((share) => ({
        endpoint_name,
        ...share,
      })),
    ),
  );
  return { instant: parsed.data, traffic: shares.flat() };
}

async function recall(
  { episodicMemory }: HistorySource,
  filter: { endpoint_name?: string; experiment_id?: string },
  limit: number,
): Promise<Pick<HistoryReport, "episodes" | "degraded">> {
  try {
    const options = { signal: AbortSignal.timeout(MEMORY_MS) };
    const episodes = await episodicMemory.recent({ ...filter, limit: Math.min(limit, 10) }, options);
    return {
      episodes: episodes.map((one) => ({
        occurred_at: one.occurred_at,
        what: one.event_subtype,
        outcome: one.outcome_type,
        description: one.description,
      })),
      degraded: [],
    };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { episodes: [], degraded: [`episodic memory does not answer: ${error.message}`] };
  }
}

async function careOf(
  { proceduralMemory }: HistorySource,
  families: readonly string[],
): Promise<Pick<HistoryReport, "care" | "degraded">> {
  try {
    const options = { signal: AbortSignal.timeout(MEMORY_MS) };
    return { care: await rememberedCare(proceduralMemory, families, options), degraded: [] };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { care: [], degraded: [`procedural memory does not answer: ${error.message}`] };
  }
}
