import canonicalize from "canonicalize";
import type { GivenDeployer } from "../../support/deployer.ts";
import type { World } from "../../support/world.ts";

/**
 * All that a person would call the outcome, without what differs between any two runs: times, drawn ids, who did it at the
 * second try. Two runs that asked for the same have the same portrait, whatever happened to them on the way.
 */
export async function portraitOf(given: GivenDeployer): Promise<Record<string, unknown>> {
  const { sql } = given.world;
  const versions = await sql(
    "select model_name, version from ml_model_registry order by model_name, version",
  );
  const options = { signal: AbortSignal.timeout(10_000) };
  const endpoints = await sql("select endpoint_name from ml_endpoints order by 1");
  return {
    ...(await portraitOfRows(sql)),
    registry: versions.map((row) =>
      given.registry.projectionOf(String(row["model_name"]), Number(row["version"])),
    ),
    routes: await Promise.all(
      endpoints.map((row) => given.router.observe(String(row["endpoint_name"]), options)),
    ),
    servers: (await given.server.list()).sort(),
    started: given.server.started,
    built: given.packager.built,
    episodes: given.episodicMemory.episodes.map((episode) => episode.dedupe_key).sort(),
  };
}

/** As far as the database alone shows it. */
export async function portraitOfRows(sql: World["sql"]): Promise<Record<string, unknown>> {
  const portrait: Record<string, unknown> = {};
  for (const [name, query] of Object.entries(QUERIES)) portrait[name] = await sql(query);
  return portrait;
}

const QUERIES = {
  versions: "select model_version_id, stage::text, stage_revision from ml_model_registry order by 1",
  moves: `select model_version_id, kind, from_stage::text, to_stage::text, changed_by from ml_stage_history
    order by model_version_id, stage_revision`,
  deployments: `select deployment_id, status::text, traffic_percentage, drain_due_at is not null as drains,
      drained_at is not null as drained, stopping_until > clock_timestamp() as stopping
    from ml_deployments order by 1`,
  endpoints: "select endpoint_name, generation, weights, mirror_deployment_id from ml_endpoints order by 1",
  traffic: `select endpoint_name, generation, deployment_weights, mirror_deployment_id from ml_traffic_history
    order by 1, 2`,
  rollouts: "select rollout_id, status, step_index from ml_rollouts order by 1",
  operations: `select operation_id, action, status, error ->> 'code' as error, refusal ->> 'code' as refusal
    from ml_operations order by 1`,
  evidence: `select deployment_id, sum(requests)::int as requests, sum(errors)::int as errors
    from ml_shadow_evidence group by 1 order by 1`,
  outbox: "select topic, dedupe_key, delivered_at is not null as delivered from ml_outbox order by 1, 2",
  approvals: "select operation_id, used_at is not null as used from ml_approvals order by 1",
};

/** A sentence for each part that is not as expected. */
export function differences(found: Record<string, unknown>, expected: Record<string, unknown>): string[] {
  return Object.keys(expected).flatMap((name) => {
    const is = canonicalize(found[name]) ?? "nothing";
    const should = canonicalize(expected[name]) ?? "nothing";
    return is === should
      ? []
      : [`${name} should be ${shortened(should, is)}, but is ${shortened(is, should)}`];
  });
}

/** From a little before the first difference. */
function shortened(text: string, other: string): string {
  const first = [...text].findIndex((letter, index) => letter !== other[index]);
  const from = Math.max(0, first - 60);
  return `${from > 0 ? "..." : ""}${text.slice(from, from + 160)}`;
}
