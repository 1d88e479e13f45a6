import { z } from "zod";
import { shadowEvidenceSchema, type ShadowEvidence } from "../../../agents/model_deployer/domain/entities.ts";
import {
  type VersionFigures,
  versionFiguresSchema,
} from "../../../agents/model_deployer/domain/evidence/figures.ts";
import { figuresOf, growth } from "../../../agents/model_deployer/judge/counts/answers.ts";
import { ServiceRefusedError } from "../../../agents/model_deployer/errors.ts";
import type { ShadowEvidenceStore } from "../../../agents/model_deployer/ports/evidence/shadow_ports.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { json } from "../../rows.ts";
import { anyRow, type Queries } from "../../connection/transaction.ts";

const seenRow = z.strictObject({ requests: z.int(), seen: z.array(versionFiguresSchema) });

/** As many of production's failures since then as fall on the requests that the shadow has answered since. */
function failedBeside(requests: number, before: VersionFigures[], now: VersionFigures[]): number {
  const grown = now.map((one) => growth(one, figuresOf(before, one.deployment_id) ?? one));
  const answered = grown.reduce((sum, one) => sum + one.requests, 0);
  const failed = grown.reduce((sum, one) => sum + one.errors, 0);
  return requests <= 0 || answered === 0 ? 0 : Math.floor(failed * Math.min(1, requests / answered));
}

/**
 * Each life of the router's counters has a row that only grows, so that a figure read twice, late or by two collectors
 * is counted once, and a restart of the router loses nothing that was collected.
 */
export class PostgresShadowEvidence implements ShadowEvidenceStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async collect(
    deploymentId: string,
    figures: VersionFigures,
    production: VersionFigures[] = [],
  ): Promise<ShadowEvidence> {
    await this.#database.transaction(async (tx) => {
      const [before] = await tx.query(
        seenRow,
        `select requests, production_seen as seen from ml_shadow_evidence
         where deployment_id = $1 and epoch = $2 for update`,
        [deploymentId, figures.epoch],
      );
      await this.#add(tx, deploymentId, figures, {
        seen: production,
        errors:
          before === undefined
            ? 0
            : failedBeside(figures.requests - before.requests, before.seen, production),
      });
    });
    const evidence = await this.read(deploymentId, figures.epoch);
    if (evidence !== null) return evidence;
    throw new ServiceRefusedError(
      "postgres",
      `The evidence of ${deploymentId} is gone right after it was written`,
    );
  }

  async #add(
    tx: Queries,
    deploymentId: string,
    figures: VersionFigures,
    production: { seen: VersionFigures[]; errors: number },
  ): Promise<void> {
    await tx.query(
      anyRow,
      `insert into ml_shadow_evidence as s (deployment_id, epoch, requests, errors, p99_ms, production_errors, production_seen)
       values ($1, $2, $3, $4, $5, $6, $7)
       on conflict (deployment_id, epoch) do update set
         p99_ms = case when excluded.requests >= s.requests then coalesce(excluded.p99_ms, s.p99_ms) else s.p99_ms end,
         requests = greatest(s.requests, excluded.requests), errors = greatest(s.errors, excluded.errors),
         production_errors = s.production_errors + excluded.production_errors,
         production_seen = excluded.production_seen, collected_at = clock_timestamp()`,
      [
        deploymentId,
        figures.epoch,
        figures.requests,
        figures.errors,
        figures.p99_ms,
        production.errors,
        json(production.seen),
      ],
    );
  }

  /**
   * `p99_ms` is the largest of the counters' lives: the p99 of all answers is never above it, so a gate that reads it
   * lets nothing slow through. The hours run from the activation to the last reading, less the time between two of the
   * counters' lives, in which nobody knows of a mirror.
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
       select deployment_id, sum(requests) as requests, sum(errors) as errors,
         sum(production_errors) as production_errors, max(p99_ms) as p99_ms,
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
