import { InvalidRequestError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { MetricReading } from "../../agents/model_deployer/domain/evidence/team_metrics.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type { TeamMetrics } from "../../agents/model_deployer/ports/evidence/team_metrics_port.ts";

type Answering = (query: string, at: string) => number[];

/** A server of metrics in memory, whose answers a test gives; it knows of a query's language only that brackets pair. */
export class InMemoryTeamMetrics implements TeamMetrics {
  #answering: Answering = () => [];

  /** @param answering one number for each series that a query finds; NaN is no number */
  answer(answering: Answering): void {
    this.#answering = answering;
  }

  async check(query: string, { signal }: CallOptions): Promise<void> {
    requireTime(signal);
    if (!hasPairs(query)) throw new InvalidRequestError(`${JSON.stringify(query)} is no query.`);
    const series = this.#answering(query, "").length;
    if (series > 1) throw new InvalidRequestError(`${JSON.stringify(query)} gives ${series} series.`);
  }

  async read(query: string, at: string, { signal }: CallOptions): Promise<MetricReading> {
    requireTime(signal);
    const [value, ...others] = this.#answering(query, at);
    if (value === undefined) return { problem: "there is no data" };
    if (others.length > 0) return { problem: `there are ${others.length + 1} series in place of one` };
    return Number.isFinite(value) ? { value } : { problem: `there is ${value}` };
  }
}

function requireTime(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new ServiceUnavailableError("metrics", "the deadline has passed", { cause: signal.reason });
}

function hasPairs(query: string): boolean {
  const open: string[] = [];
  const pairs: Record<string, string> = { ")": "(", "]": "[", "}": "{" };
  for (const sign of query) {
    if ("([{".includes(sign)) open.push(sign);
    else if (sign in pairs && open.pop() !== pairs[sign]) return false;
  }
  return open.length === 0 && query.trim() !== "";
}
