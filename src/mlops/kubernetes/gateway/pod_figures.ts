import { z } from "zod";
import { AgentError } from "../../../agents/base/agent_error.ts";
import type { VersionFigures } from "../../../agents/model_deployer/domain/evidence/figures.ts";
import { ServiceRefusedError, ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import { parsedJson } from "../../../platform/parsed_json.ts";
import {
  combinedFigures,
  type CountsOfRun,
  type FiguresNote,
  nextNote,
  noteFrom,
  noteSchema,
} from "../../shared/combined_figures.ts";
import type { ClusterClient } from "../api/cluster_client.ts";
import { SERVICE } from "../api/cluster_errors.ts";
import type { ClusterServers } from "../server/cluster_servers.ts";
import type { ObservedPod } from "../server/observed_objects.ts";
import { SERVED_PORT, SERVER_CONTAINER } from "../server/server_pod.ts";
import { readPodMetrics } from "./pod_metrics.ts";

export interface PodFiguresOptions {
  client: ClusterClient;
  servers: Pick<ClusterServers, "snapshot" | "podPath">;
  /** Asks a pod at its own address; without it the API server passes the questions on. */
  askPod?: (host: string, port: number, path: string, signal: AbortSignal) => Promise<string>;
}

/** Where the counts of each deployment begin. */
export type Notes = Record<string, FiguresNote>;
const notesSchema = z.record(z.string(), noteSchema);

export function readNotes(text: string): Notes {
  return notesSchema.safeParse(parsedJson(text)).data ?? {};
}

/** By deployment: what each of its processes has counted. */
type Present = Record<string, CountsOfRun[]>;

/**
 * The servers' own counts. A gateway tells no figures; what it answered in a server's place is in nobody's
 * counts.
 */
export class PodFigures {
  readonly #options: PodFiguresOptions;

  constructor(options: PodFiguresOptions) {
    this.#options = options;
  }

  /** @param services by deployment: the Service of its server, whose pods bear the same mark */
  async present(services: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Present> {
    const { pods } = await this.#options.servers.snapshot(signal);
    const read = Object.entries(services).map(async ([id, service]) => {
      const runs = (pods.get(service) ?? []).filter(isStarted).map((pod) => this.#runOf(id, pod, signal));
      return [id, (await Promise.all(runs)).flatMap((run) => run ?? [])] as const;
    });
    return Object.fromEntries(await Promise.all(read));
  }

  /** Null for a pod that does not answer and gets no callers; it may come back. */
  async #runOf(deployment_id: string, pod: ObservedPod, signal: AbortSignal): Promise<CountsOfRun | null> {
    const text = await this.#ask(pod, signal).catch((error: unknown) => {
      if (error instanceof AgentError && !isReady(pod)) return null;
      throw error;
    });
    if (text === null) return null;
    const { started, counts } = readPodMetrics(text);
    if (started === null) {
      throw new ServiceRefusedError(
        SERVICE,
        `pod ${pod.metadata.name} of ${deployment_id} serves a bento whose figures do not say when they began, so behind a gateway it cannot be judged: register its model anew, which builds it again, or set MODEL_DEPLOYER_ROUTER=cluster`,
      );
    }
    return { run: `${pod.metadata.uid}/${started}`, counts: [{ deployment_id, added_in: 0, ...counts }] };
  }

  async #ask({ metadata, status }: ObservedPod, signal: AbortSignal): Promise<string> {
    const { askPod, client, servers } = this.#options;
    const path = "/metrics";
    if (askPod !== undefined && status.podIP !== "") {
      return askPod(status.podIP, SERVED_PORT, path, signal);
    }
    const through = `${servers.podPath(metadata.name)}:${SERVED_PORT}/proxy${path}`;
    const silent = (why: string, cause?: unknown) =>
      new ServiceUnavailableError(SERVICE, `pod ${metadata.name} did not tell its figures: ${why}`, {
        cause,
      });
    const answer = await client.ask({ method: "GET", path: through }, signal).catch((cause: unknown) => {
      throw silent("it cannot be reached through the API server", cause);
    });
    if (answer.status === 200) return answer.body;
    throw silent(`the answer was ${answer.status}: ${answer.body.slice(0, 200)}`);
  }
}

/** The notes for what is there now; null where the kept ones hold. */
export function nextNotes(kept: Notes, present: Present): Notes | null {
  const changed = Object.entries(present).flatMap(([id, runs]) => {
    const next = nextNote(kept[id] ?? null, runs);
    return next === null ? [] : [[id, next] as const];
  });
  return changed.length === 0 ? null : { ...kept, ...Object.fromEntries(changed) };
}

/** Notes that leave out all that these have counted until now. */
export function notesFrom(present: Present, named: string): Notes {
  return Object.fromEntries(
    Object.entries(present).map(([id, runs]) => [id, noteFrom(runs, `${named}/${id}`)]),
  );
}

export function figuresOf(notes: Notes, present: Present): VersionFigures[] {
  return (
    Object.entries(present)
      .flatMap(([id, runs]) => {
        const note = notes[id];
        return note === undefined ? [] : combinedFigures(note, runs);
      })
      // Of a connection that was not made or broke a server knows nothing.
      .map(({ resets: _unknown, ...known }) => known)
      .sort((a, b) => (a.deployment_id < b.deployment_id ? -1 : 1))
  );
}

function isStarted({ status }: ObservedPod): boolean {
  return status.containerStatuses.some(({ name, started }) => name === SERVER_CONTAINER && started === true);
}

function isReady({ status }: ObservedPod): boolean {
  return status.containerStatuses.some(({ name, ready }) => name === SERVER_CONTAINER && ready);
}
