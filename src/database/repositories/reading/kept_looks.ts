import { z } from "zod";
import { type KeptLooks, keptLooksSchema } from "../../../agents/model_deployer/domain/evidence/kept_look.ts";
import type { KeptLooksReader } from "../../../agents/model_deployer/ports/stores/kept_looks_reader.ts";
import type { SqlDatabase } from "../../connection/pool.ts";

const row = z.strictObject({ kept: keptLooksSchema });

export class PostgresKeptLooks implements KeptLooksReader {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async of(rolloutId: string): Promise<KeptLooks | null> {
    const [found] = await this.#database.query(
      row,
      `select jsonb_build_object('before', r.first_judge_state, 'looks', coalesce(
         (select jsonb_agg(l.look order by l.looked_at) from ml_rollout_looks l where l.rollout_id = r.rollout_id),
         '[]')) as kept
       from ml_rollouts r where r.rollout_id = $1 and r.first_judge_state is not null`,
      [rolloutId],
    );
    return found?.kept ?? null;
  }
}
