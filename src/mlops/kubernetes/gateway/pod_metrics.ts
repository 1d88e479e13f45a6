import { LATENCY_BOUNDS_MS } from "../../../agents/model_deployer/domain/evidence/figures.ts";
import type { DeploymentCounts } from "../../shared/combined_figures.ts";

/** One server process's figures of its predictions, from its `/metrics`. */
export interface PodMetrics {
  /** When the process began to count; null where it does not say, as bentos of earlier versions do not. */
  started: string | null;
  counts: Omit<DeploymentCounts, "deployment_id" | "added_in">;
}

const sample = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/;
const label = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;
/** Paths that predict; what else a server tells is no answer of the model. */
const predicting = /^\/(predict|invocations|v2\/.*\/infer)$/;
/** A caller that hung up got no answer. */
const HUNG_UP = 499;

/**
 * Answers by status and latency. A latency counts under the upper bound of its bin, so that "at most" holds. Connections
 * that were not made or broke are not in it, nor what was answered in front of the server.
 */
export function readPodMetrics(text: string): PodMetrics {
  const found = new Found();
  for (const line of text.split("\n")) {
    const [, name = "", labels = "", value = ""] = sample.exec(line) ?? [];
    const told = new Map([...labels.matchAll(label)].map(([, key = "", is = ""]) => [key, is] as const));
    found.add(name, told, value);
  }
  return found.told();
}

class Found {
  #started: string | null = null;
  #inFlight = 0;
  #requests = 0;
  #errors = 0;
  #timeouts = 0;
  #clientErrors = 0;
  #givenUp = 0;
  /** By their upper bound in seconds: how many took at most as long. */
  readonly #atMost = new Map<number, number>();

  add(name: string, labels: ReadonlyMap<string, string>, value: string): void {
    if (name === "process_start_time_seconds") this.#started = value;
    if (!predicting.test(labels.get("endpoint") ?? "")) return;
    const status = Number(labels.get("http_response_code"));
    const count = Number(value);
    if (name === "bentoml_service_request_in_progress") this.#inFlight += count;
    const isCount = name === "bentoml_service_request_duration_seconds_count";
    if (status === HUNG_UP) {
      if (isCount) this.#givenUp += count;
      return;
    }
    if (isCount) this.#answered(status, count);
    if (name === "bentoml_service_request_duration_seconds_bucket") {
      const bound = labels.get("le") === "+Inf" ? Infinity : Number(labels.get("le"));
      this.#atMost.set(bound, (this.#atMost.get(bound) ?? 0) + count);
    }
  }

  told(): PodMetrics {
    const latency_counts = this.#latencies();
    return {
      started: this.#started,
      counts: {
        requests: this.#requests,
        errors: this.#errors,
        timeouts: this.#timeouts,
        client_errors: this.#clientErrors,
        given_up: this.#givenUp,
        in_flight: this.#inFlight,
        p50_ms: null,
        p99_ms: null,
        latency_counts,
      },
    };
  }

  #answered(status: number, count: number): void {
    this.#requests += count;
    if (status >= 500) this.#errors += count;
    if (status === 504) this.#timeouts += count;
    if (status >= 400 && status < 500) this.#clientErrors += count;
  }

  #latencies(): number[] {
    const bins = Array.from({ length: LATENCY_BOUNDS_MS.length + 1 }, () => 0);
    let before = 0;
    for (const [seconds, count] of [...this.#atMost].sort(([a], [b]) => a - b)) {
      const bin = LATENCY_BOUNDS_MS.findIndex((bound) => seconds * 1000 <= bound);
      const index = bin === -1 ? LATENCY_BOUNDS_MS.length : bin;
      bins[index] = (bins[index] ?? 0) + count - before;
      before = count;
    }
    return bins;
  }
}
