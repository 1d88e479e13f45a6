import { AgentError } from "../../../base/agent_error.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import {
  filledQuery,
  type MetricReading,
  type MetricReadings,
  type MetricSettings,
  type QueriedSide,
  type SideReading,
} from "../../domain/evidence/team_metrics.ts";
import { windowOver } from "../../judge/evidence/metric_evidence.ts";
import { sidesOf } from "../../judge/counts/live_figures.ts";
import { sharingOf } from "../../judge/observe.ts";
import type { CallOptions } from "../../ports/call_options.ts";
import type { TeamMetrics } from "../../ports/evidence/team_metrics_port.ts";
import type { RollbackFacts } from "../rollback/facts.ts";

type Sides = Pick<RollbackFacts, "endpoint" | "current_version" | "previous_version">;

/** Asks for each of the rollout's metrics whose window is over, of both sides at one instant. */
export async function gatherMetrics(
  source: TeamMetrics | undefined,
  rollout: Rollout,
  { endpoint, current_version, previous_version }: Sides,
  now: string,
  options: CallOptions,
): Promise<MetricReadings> {
  const sides = sidesOf(rollout);
  const sharing = sharingOf(sides, endpoint);
  const named = { endpoint: rollout.endpoint_name };
  const candidate: QueriedSide = {
    ...named,
    deployment: sides.candidate_id,
    version: current_version?.model_version_id ?? "",
  };
  const baseline: QueriedSide = {
    ...named,
    deployment: sides.baseline_id,
    version: previous_version?.model_version_id ?? "",
  };
  const asked = Object.entries(rollout.judge.metrics).flatMap(([name, settings]) => {
    const seconds = windowOver(rollout.judge_state.metrics[name], settings, sharing, Date.parse(now));
    return seconds === null ? [] : [{ name, settings, seconds }];
  });
  const read = await Promise.all(
    asked.map(async ({ name, settings, seconds }) => {
      const of = (side: QueriedSide) => readSide(source, settings, side, { seconds, now, options });
      const [own, other] = await Promise.all([of(candidate), of(baseline)]);
      return [name, { candidate: own, baseline: other }] as const;
    }),
  );
  return Object.fromEntries(read);
}

interface Asking {
  seconds: number;
  now: string;
  options: CallOptions;
}

async function readSide(
  source: TeamMetrics | undefined,
  { query, of }: MetricSettings,
  side: QueriedSide,
  asking: Asking,
): Promise<SideReading> {
  const ask = (one: string) => readOne(source, filledQuery(one, side, asking.seconds), asking);
  const [reading, all] = await Promise.all([ask(query), of === null ? null : ask(of)]);
  return { reading, of: all };
}

async function readOne(
  source: TeamMetrics | undefined,
  query: string,
  { now, options }: Asking,
): Promise<MetricReading> {
  if (source === undefined) return { problem: "no server of metrics is configured to ask" };
  try {
    return await source.read(query, now, options);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { problem: error.message };
  }
}
