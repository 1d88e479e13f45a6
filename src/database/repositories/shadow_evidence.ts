import { shadowEvidenceSchema, type ShadowEvidence } from "../../agents/model_deployer/domain/entities.ts";
import type { VersionFigures } from "../../agents/model_deployer/domain/rollout.ts";
import { ServiceRefusedError } from "../../agents/model_deployer/errors.ts";
import type { ShadowEvidenceStore } from "../../agents/model_deployer/store_ports.ts";
import { anyRow, type Database } from "../pool.ts";

/**
 * Each life of the router's counters has a row that only grows, so that a figure read twice, late or by two collectors
 * is counted once, and a restart of the router loses nothing that was collected.
 */
export class PostgresShadowEvidence implements ShadowEvidenceStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async collect(deploymentId: string, figures: VersionFigures): Promise<ShadowEvidence> {
    await this.#database.query(
      anyRow,
      `insert into ml_shadow_evidence as s (deployment_id, epoch, requests, errors, p99_ms)
       values ($1, $2, $3, $4, $5)
       on conflict (deployment_id, epoch) do update set
         p99_ms = case when excluded.requests >= s.requests then coalesce(excluded.p99_ms, s.p99_ms) else s.p99_ms end,
         requests = greatest(s.requests, excluded.requests), errors = greatest(s.errors, excluded.errors),
         collected_at = clock_timestamp()`,
      [deploymentId, figures.epoch, figures.requests, figures.errors, figures.p99_ms],
    );
    const evidence = await this.read(deploymentId, figures.epoch);
    if (evidence !== null) return evidence;
    throw new ServiceRefusedError(
      "postgres",
      `The evidence of ${deploymentId} is gone right after it was written`,
    );
  }

  /**
   * `p99_ms` is the largest of the counters' lives: the p99 of all answers is never above it, so a gate that reads it
   * lets nothing slow through. The hours reach from the activation to what was seen last, less what lies between two of
   * the counters' lives, in which nobody knows of a mirror.
   */
  async read(deploymentId: string, epoch: string | null = null): Promise<ShadowEvidence | null> {
    const [evidence] = await this.#database.query(
      shadowEvidenceSchema,
      `with lives as (
         select s.*, d.activated_at, lag(s.collected_at) over earlier as left_at,
           row_number() over (order by s.began_at desc) = 1 as is_last
         from ml_shadow_evidence s join ml_deployments d using (deployment_id)
         where s.deployment_id = $1
         window earlier as (order by s.began_at)
       )
       select deployment_id, sum(requests) as requests, sum(errors) as errors, max(p99_ms) as p99_ms,
         max(collected_at) as collected_at,
         coalesce(greatest(extract(epoch from
           max(case when is_last and epoch = $2 then clock_timestamp() else collected_at end) - activated_at
             - coalesce(sum(greatest(began_at - left_at, interval '0')) filter (where left_at > activated_at), interval '0')
         ) / 3600, 0), 0)::float8 as hours
       from lives group by deployment_id, activated_at`,
      [deploymentId, epoch],
    );
    return evidence ?? null;
  }
}
