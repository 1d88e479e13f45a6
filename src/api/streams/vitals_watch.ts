import { answered } from "../../service/status/answered.ts";
import type { Endpoint } from "../../agents/model_deployer/domain/entities.ts";
import {
  type Answers,
  noAnswers,
  type VersionFigures,
} from "../../agents/model_deployer/domain/evidence/figures.ts";
import { figuresOf, growth, plusAnswers } from "../../agents/model_deployer/judge/counts/answers.ts";
import { quantileOf } from "../../agents/model_deployer/judge/signals.ts";
import type { ModelServer } from "../../agents/model_deployer/ports/model_server_port.ts";
import type { TrafficRouter } from "../../agents/model_deployer/ports/traffic_router_port.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import type { FiguresView, Health, Vitals } from "../../service/endpoints/endpoint_schemas.ts";
import { NOT_LOOKED_AT } from "../../service/endpoints/endpoint_views.ts";

interface Reading {
  at: number;
  figures: VersionFigures[];
}

interface Watched {
  readings: Reading[];
  vitals: Vitals;
}

interface VitalsParts {
  database: Pick<DeployerDatabase, "endpoints">;
  router: Pick<TrafficRouter, "observe" | "figures">;
  server: Pick<ModelServer, "observe">;
  /** Milliseconds since 1970. */
  now: () => number;
}

const LOOK_MS = 2000;
/** Figures are of a stretch at least this long, so that one slow request is no spike. */
const WINDOW_MS = 30_000;
const FRESH_MS = 3000;
const LONGEST_LOOK_MS = 10_000;
const AT_ONCE = 8;

/** The figures of all endpoints and whether they are well, read for all watchers together. */
export class VitalsWatch {
  readonly #parts: VitalsParts;
  readonly #watched = new Map<string, Watched>();
  #lookedAt = -Infinity;
  #looking: Promise<void> | null = null;

  constructor(parts: VitalsParts) {
    this.#parts = parts;
  }

  of(endpointName: string): Vitals {
    return this.#watched.get(endpointName)?.vitals ?? NOT_LOOKED_AT;
  }

  /** Returns once all were looked at within the last seconds, or the look takes too long for whoever waits. */
  async refresh(): Promise<void> {
    if (this.#parts.now() - this.#lookedAt < FRESH_MS) return;
    this.#looking ??= this.#look(AbortSignal.timeout(LONGEST_LOOK_MS)).finally(() => {
      this.#looking = null;
      this.#lookedAt = this.#parts.now();
    });
    await this.#looking;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const endpoints = await this.#parts.database.endpoints.list();
    const queue = endpoints.values();
    const work = async () => {
      for (const endpoint of queue) if (!signal.aborted) await this.#lookAt(endpoint, signal);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const names = new Set(endpoints.map((one) => one.endpoint_name));
    for (const name of this.#watched.keys()) if (!names.has(name)) this.#watched.delete(name);
  }

  async #lookAt(endpoint: Endpoint, until: AbortSignal): Promise<void> {
    const name = endpoint.endpoint_name;
    const options = { signal: AbortSignal.any([until, AbortSignal.timeout(LOOK_MS)]) };
    const serving = Object.keys(endpoint.weights).filter((id) => (endpoint.weights[id] ?? 0) > 0);
    const [route, figures, servers] = await Promise.all([
      answered(async () => ({ found: await this.#parts.router.observe(name, options) })),
      answered(() => this.#parts.router.figures(name, options)),
      Promise.all(serving.map(async (id) => ({ id, state: await this.#serverState(id, options.signal) }))),
    ]);
    const readings = this.#withReading(this.#watched.get(name)?.readings ?? [], figures);
    this.#watched.set(name, {
      readings,
      vitals: { health: healthOf(endpoint, route, servers), ...figuresViews(endpoint, readings) },
    });
  }

  async #serverState(id: string, signal: AbortSignal): Promise<string> {
    const seen = await answered(() => this.#parts.server.observe(id, { signal, patience_ms: LOOK_MS }));
    return seen?.state ?? "unknown";
  }

  /** The newest reading, those within the window before it, and the last one before that. */
  #withReading(before: Reading[], figures: VersionFigures[] | null): Reading[] {
    if (figures === null) return before;
    const at = this.#parts.now();
    const recent = before.filter((one) => at - one.at <= WINDOW_MS);
    const older = before.filter((one) => at - one.at > WINDOW_MS).slice(-1);
    return [...older, ...recent, { at, figures }];
  }
}

function healthOf(
  endpoint: Endpoint,
  route: { found: { generation: number } | null } | null,
  servers: { id: string; state: string }[],
): Health {
  if (servers.length === 0) return { state: "idle", reasons: [] };
  const dead = servers.filter((one) => one.state !== "ready");
  const router = routerProblem(endpoint, route);
  const reasons = [
    ...(router === null ? [] : [router]),
    ...dead.map((one) => `${one.id} has traffic and its server is ${one.state}`),
  ];
  const isDown = dead.length === servers.length || (route !== null && route.found === null);
  return { state: reasons.length === 0 ? "ok" : isDown ? "down" : "degraded", reasons };
}

function routerProblem(
  { endpoint_name, generation }: Endpoint,
  route: { found: { generation: number } | null } | null,
): string | null {
  if (route === null) return `the router of ${endpoint_name} does not say what it does`;
  if (route.found === null) return `the router of ${endpoint_name} is not running`;
  if (route.found.generation === generation) return null;
  return `the router of ${endpoint_name} has generation ${route.found.generation}, and ${generation} is wanted`;
}

function figuresViews(
  endpoint: Endpoint,
  readings: Reading[],
): Pick<Vitals, "figures" | "figures_by_deployment"> {
  const [first, last] = [readings[0], readings.at(-1)];
  if (first === undefined || last === undefined || last.at <= first.at)
    return { figures: null, figures_by_deployment: {} };
  const stretch = { from: first.at, to: last.at };
  const grown = last.figures.map((one) => ({
    id: one.deployment_id,
    answers: growth(one, figuresOf(first.figures, one.deployment_id)),
  }));
  const ofCallers = grown.filter((one) => one.id !== endpoint.mirror_deployment_id);
  const all = ofCallers.reduce((sum, one) => plusAnswers(sum, one.answers), noAnswers);
  return {
    figures: viewOf(all, stretch),
    figures_by_deployment: Object.fromEntries(grown.map((one) => [one.id, viewOf(one.answers, stretch)])),
  };
}

function viewOf(
  { requests, errors, latency }: Answers,
  { from, to }: { from: number; to: number },
): FiguresView {
  const seconds = (to - from) / 1000;
  return {
    seconds,
    read_at: new Date(to).toISOString(),
    requests_per_second: requests / seconds,
    error_share: requests === 0 ? null : errors / requests,
    p50_ms: quantileOf(latency, 0.5),
    p99_ms: quantileOf(latency, 0.99),
  };
}
