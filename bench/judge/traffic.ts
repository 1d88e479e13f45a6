import {
  LATENCY_BOUNDS_MS,
  type VersionFigures,
} from "../../src/agents/model_deployer/domain/evidence/figures.ts";
import { binomialFrom } from "./random.ts";

export type Side = "candidate" | "baseline";

export interface Scenario {
  name: string;
  /** A second. */
  requests: number;
  /** The candidate's part of the traffic. */
  share: number;
  /** How likely an answer fails in this second. */
  failureRate: (second: number, side: Side) => number;
  /** How likely an answer is a 4xx in this second. */
  refusalRate?: (second: number, side: Side) => number;
  /** Its latencies are so many times the usual ones in this second. */
  slowness?: (second: number, side: Side) => number;
  /** How often a caller sends a failed request again, a second later. */
  retries?: number;
}

/** Latencies are lognormal: half of the answers take so long, and the logarithm spreads so far. */
const MEDIAN_MS = 20;
const SPREAD = 0.8;

/** Abramowitz and Stegun 7.1.26; its error is below 1.5e-7. */
function normalCdf(z: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(z) * Math.SQRT1_2);
  const tail =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const half = 0.5 * tail * Math.exp((-z * z) / 2);
  return z > 0 ? 1 - half : half;
}

const binsBySlowness = new Map<number, number[]>();

/** The likelihood that an answer which is in no bin before takes no longer than each bound. */
function conditionalBins(slowness: number): number[] {
  const known = binsBySlowness.get(slowness);
  if (known !== undefined) return known;
  let below = 0;
  const bins = LATENCY_BOUNDS_MS.map((bound) => {
    const upTo = normalCdf(Math.log(bound / (MEDIAN_MS * slowness)) / SPREAD);
    const likely = below >= 1 ? 1 : (upTo - below) / (1 - below);
    below = upTo;
    return Math.min(1, Math.max(0, likely));
  });
  binsBySlowness.set(slowness, bins);
  return bins;
}

/** One side's counters as a router keeps them. */
export class Counters {
  requests = 0;
  errors = 0;
  client_errors = 0;
  readonly latency: number[] = LATENCY_BOUNDS_MS.map(() => 0).concat(0);

  figures(deployment_id: string): VersionFigures {
    const { requests, errors, client_errors } = this;
    const unknown = { p50_ms: null, p99_ms: null };
    const latency_counts = [...this.latency];
    return { deployment_id, epoch: "1", requests, errors, client_errors, ...unknown, latency_counts };
  }

  answer(
    random: () => number,
    requests: number,
    { failureRate, refusalRate, slowness }: { failureRate: number; refusalRate: number; slowness: number },
  ): number {
    this.client_errors += binomialFrom(random, requests, refusalRate);
    const failed = binomialFrom(random, requests, failureRate);
    this.requests += requests;
    this.errors += failed;
    let left = requests;
    for (const [bin, likely] of conditionalBins(slowness).entries()) {
      if (left === 0) break;
      const here = binomialFrom(random, left, likely);
      this.latency[bin] = (this.latency[bin] ?? 0) + here;
      left -= here;
    }
    const last = this.latency.length - 1;
    this.latency[last] = (this.latency[last] ?? 0) + left;
    return failed;
  }
}

/** Both sides' counters, second by second. */
export class Traffic {
  readonly candidate = new Counters();
  readonly baseline = new Counters();
  readonly #scenario: Scenario;
  readonly #random: () => number;
  #again = 0;

  constructor(scenario: Scenario, random: () => number) {
    this.#scenario = scenario;
    this.#random = random;
  }

  /** Answers of the baseline before the candidate is there. */
  before(requests: number): void {
    this.baseline.answer(this.#random, requests, this.#behaviour(0, "baseline"));
  }

  pass(second: number, share = this.#scenario.share): void {
    const { requests, retries = 0 } = this.#scenario;
    const all = requests + this.#again;
    const drawn = binomialFrom(this.#random, all, share);
    let failed = 0;
    for (const [side, count] of [
      ["candidate", drawn],
      ["baseline", all - drawn],
    ] as const)
      failed += this[side].answer(this.#random, count, this.#behaviour(second, side));
    this.#again = Math.min(20 * requests, failed * retries);
  }

  #behaviour(second: number, side: Side) {
    const { failureRate, refusalRate, slowness } = this.#scenario;
    return {
      failureRate: failureRate(second, side),
      refusalRate: refusalRate?.(second, side) ?? 0,
      slowness: slowness?.(second, side) ?? 1,
    };
  }

  figures(): VersionFigures[] {
    return [this.candidate.figures("candidate"), this.baseline.figures("baseline")];
  }
}
