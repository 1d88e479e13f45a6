import type { MetricReading } from "../../domain/evidence/team_metrics.ts";
import type { CallOptions } from "../call_options.ts";

/** A server of metrics in which the team's own figures lie, such as Prometheus. Queries come with all names filled in. */
export interface TeamMetrics {
  /** @throws InvalidRequestError for what is no query of it, or cannot give one number | ServiceUnavailableError | ServiceRefusedError */
  check(query: string, options: CallOptions): Promise<void>;
  /**
   * The one number that a query gives; no data, several series and what is no number are problems in words.
   * @param at the instant that it is asked for, ISO 8601
   * @throws ServiceUnavailableError | ServiceRefusedError
   */
  read(query: string, at: string, options: CallOptions): Promise<MetricReading>;
}
