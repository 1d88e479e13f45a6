import type { DeployerDatabase } from "../../../src/database/index.ts";
import type { Endpoint } from "../../../src/agents/model_deployer/domain/entities.ts";
import type { TrafficRouter } from "../../../src/agents/model_deployer/ports/traffic_router_port.ts";
import { pollUntil, type TrafficSource, UnexpectedOutcomeError } from "../../../src/testing/index.ts";
import type { TrainedModels } from "./trained_models.ts";

/** Enough to keep the servers busy, few enough that a shadow on a small machine is not the slower for it. */
const LANES = 4;

/** How many requests a shadow may be behind: a router does not mirror without end to a slow one. */
const AT_ONCE = 40;

interface Sent {
  requests: number;
  /** Of the candidate, and how many of them were failures. */
  answers: number;
  errors: number;
}

interface Asked {
  /** Null where nobody is watched. */
  candidate: string | null;
  /** The fraction that the candidate is to fail. */
  rate: number;
  isEnough: (sent: Sent) => boolean;
}

/** Callers who send real requests to a real endpoint, and see who answers. */
export class Callers implements TrafficSource {
  readonly #database: DeployerDatabase;
  readonly #router: TrafficRouter;
  readonly #rows: TrainedModels["rows"];

  constructor(database: DeployerDatabase, router: TrafficRouter, rows: TrainedModels["rows"]) {
    this.#database = database;
    this.#router = router;
    this.#rows = rows;
  }

  /**
   * So many requests; with a candidate, as many as it takes until that has answered its share. Of what fails some, the
   * callers ask what it cannot answer in turn, so that the fraction is exact. Returns when the router has counted them.
   * @throws UnexpectedOutcomeError for an answer that is not as it should be
   */
  async sendTraffic(
    endpointName: string,
    requests: number,
    behaviours: Record<string, { error_rate?: number }> = {},
  ): Promise<void> {
    const endpoint = await this.#database.endpoints.get(endpointName);
    if (endpoint === null) throw new UnexpectedOutcomeError(`${endpointName} is not open`);
    const { weights } = endpoint;
    const [candidate = null] = Object.keys(behaviours).filter((id) => (weights[id] ?? 0) > 0);
    if (candidate !== null) {
      const share = Math.floor((requests * (weights[candidate] ?? 0)) / 100);
      const rate = behaviours[candidate]?.error_rate ?? 0;
      const isEnough = (sent: Sent) => sent.answers >= share;
      return this.#sendAndCount(endpoint, { candidate, rate, isEnough });
    }
    for (let left = requests; left > 0; left -= AT_ONCE) {
      const some = Math.min(left, AT_ONCE);
      const isEnough = (sent: Sent) => sent.requests >= some;
      await this.#sendAndCount(endpoint, { candidate, rate: 0, isEnough });
    }
  }

  async #sendAndCount(endpoint: Endpoint, asked: Asked): Promise<void> {
    const { endpoint_name: name, mirror_deployment_id: mirror } = endpoint;
    const before = await this.#counted(name);
    const sent: Sent = { requests: 0, answers: 0, errors: 0 };
    const lane = async () => {
      while (!asked.isEnough(sent)) await this.#send(endpoint, sent, asked);
    };
    await Promise.all(Array.from({ length: asked.rate > 0 ? 1 : LANES }, lane));
    const isCounted = async () => {
      const now = await this.#counted(name);
      const grown = (id: string) => (now.get(id) ?? 0) - (before.get(id) ?? 0);
      const isMirrored = mirror === null || grown(mirror) >= sent.requests;
      return isMirrored && (asked.candidate === null || grown(asked.candidate) >= sent.answers);
    };
    const what = `count of ${sent.requests} requests by the router`;
    await pollUntil(isCounted, { deadlineMs: 120_000, what });
  }

  async #send(
    { endpoint_url: url, weights }: Endpoint,
    sent: Sent,
    { candidate, rate }: Asked,
  ): Promise<void> {
    const isUnanswerable = Math.floor((sent.answers + 1) * rate) > sent.errors;
    sent.requests += 1;
    const rows = isUnanswerable ? this.#rows.largest : this.#rows.usual;
    const features = rows[sent.requests % rows.length] ?? {};
    const answer = await fetch(`${url}/predict`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ entity_id: "p1", features, time_horizon: "30d", return_proba: true }),
    });
    await answer.arrayBuffer();
    const isCandidate = answer.headers.get("x-deployment-id") === candidate && candidate !== null;
    const served = isUnanswerable && isCandidate ? 500 : 200;
    const expected = Object.keys(weights).length === 0 ? 503 : served;
    if (answer.status !== expected) {
      throw new UnexpectedOutcomeError(`${url} answered ${answer.status} instead of ${expected}`);
    }
    if (!isCandidate) return;
    sent.answers += 1;
    if (isUnanswerable) sent.errors += 1;
  }

  async #counted(endpointName: string): Promise<Map<string, number>> {
    const figures = await this.#router.figures(endpointName, { signal: AbortSignal.timeout(120_000) });
    return new Map(figures.map((one) => [one.deployment_id, one.requests]));
  }
}
