import {
  experimentSchema,
  type Criterion,
  type Experiment,
} from "../../agents/model_deployer/domain/entities.ts";
import {
  gatePolicySchema,
  STANDARD_GATE_POLICY,
  type GatePolicy,
  type NewGatePolicy,
} from "../../agents/model_deployer/domain/models/gate_policy.ts";
import { ConflictError } from "../../agents/model_deployer/errors.ts";
import { newGatePolicy } from "../gate_policy_rows.ts";
import type { Experiments } from "../../agents/model_deployer/ports/stores/experiment_store.ts";
import type { SqlDatabase } from "../connection/pool.ts";
import type { Origin } from "../../agents/model_deployer/domain/access/roles.ts";
import { json } from "../rows.ts";
import { changedBy } from "./people/acting_as.ts";

const { criteria, ...ownColumns } = experimentSchema.shape;
const experimentColumns = Object.keys(ownColumns).join(", ");
const storedSchema = experimentSchema.extend({ criteria: criteria.unwrap().nullable() });
const policyColumns = Object.keys(gatePolicySchema.shape).join(", ");

export class MLExperimentRepository implements Experiments {
  readonly #database: SqlDatabase;
  readonly #owner: SqlDatabase;

  /** `owner` may write what the deployer's own role only reads. */
  constructor(database: SqlDatabase, owner: SqlDatabase) {
    this.#database = database;
    this.#owner = owner;
  }

  async get(experimentId: string): Promise<Experiment | null> {
    const [experiment] = await this.#database.query(
      storedSchema,
      `select ${experimentColumns}, (select criteria from ml_experiment_criteria c
         where c.experiment_id = e.experiment_id order by sequence desc limit 1) as criteria
       from ml_experiments e where experiment_id = $1`,
      [experimentId],
    );
    if (experiment === undefined) return null;
    const { criteria: others, ...own } = experiment;
    return others === null || others.length === 0 ? own : { ...own, criteria: others };
  }

  async setCriteria(
    experimentId: string,
    bounds: Criterion[],
    { reason, set_by, origin = null }: { reason: string; set_by: string; origin?: Origin | null },
  ): Promise<void> {
    await changedBy(
      this.#owner,
      { who: set_by, origin },
      `insert into ml_experiment_criteria (experiment_id, criteria, reason, set_by) values ($1, $2, $3, $4)`,
      [experimentId, JSON.stringify(bounds), reason, set_by],
    );
  }

  async create(experiment: Experiment, createdBy: string, origin: Origin | null = null): Promise<void> {
    await changedBy(
      this.#database,
      { who: createdBy, origin },
      `insert into ml_experiments (experiment_id, experiment_name, prediction_target, minimum_auc,
         minimum_precision_at_k, maximum_fpr, created_by)
       values ($1, $2, $3, $4, $5, $6, $7) on conflict (experiment_id) do nothing`,
      [
        experiment.experiment_id,
        experiment.experiment_name,
        experiment.prediction_target,
        experiment.minimum_auc,
        experiment.minimum_precision_at_k,
        experiment.maximum_fpr,
        createdBy,
      ],
    );
    const found = await this.get(experiment.experiment_id);
    const names = experimentSchema.omit({ criteria: true }).keyof().options;
    const differing = names.filter((key) => found?.[key] !== experiment[key]);
    if (differing.length === 0) return;
    throw new ConflictError(
      `Experiment ${experiment.experiment_id} exists with another ${differing.join(", ")}; use another id`,
      { retryable: false, details: { expected: experiment, found } },
    );
  }

  async getGatePolicy(experimentId: string): Promise<GatePolicy> {
    const [policy] = await this.#database.query(
      gatePolicySchema,
      `select ${policyColumns} from ml_gate_policies where experiment_id = $1 order by sequence desc limit 1`,
      [experimentId],
    );
    return policy ?? STANDARD_GATE_POLICY;
  }

  /**
   * @throws InvalidRequestError also for a standard policy below 24 h, NotFoundError for an unknown experiment,
   * ServiceRefusedError unless DATABASE_URL names the tables' owner
   */
  async setGatePolicy(
    experimentId: string,
    policy: NewGatePolicy,
    setBy: string,
    origin: Origin | null = null,
  ): Promise<GatePolicy> {
    const stored = newGatePolicy(policy);
    await changedBy(
      this.#owner,
      { who: setBy, origin },
      `insert into ml_gate_policies (experiment_id, policy_id, kind, minimum_shadow_hours, minimum_shadow_requests,
         maximum_shadow_error_rate, maximum_shadow_p99_ms, maximum_shadow_disagreement,
         maximum_shadow_age_days, approvals_for_production,
         approvals_by_move, during_rollout, judge, kept_rows, reason, set_by, approvals_for_unknown, formats,
         signers, engines, vulnerabilities)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
      [
        experimentId,
        stored.policy_id,
        stored.kind,
        stored.minimum_shadow_hours,
        stored.minimum_shadow_requests,
        stored.maximum_shadow_error_rate,
        stored.maximum_shadow_p99_ms,
        stored.maximum_shadow_disagreement,
        stored.maximum_shadow_age_days,
        stored.approvals_for_production,
        JSON.stringify(stored.approvals_by_move),
        stored.during_rollout,
        JSON.stringify(stored.judge),
        stored.kept_rows === null ? null : JSON.stringify(stored.kept_rows),
        stored.reason,
        setBy,
        stored.approvals_for_unknown,
        json(stored.formats),
        json(stored.signers),
        json(stored.engines),
        json(stored.vulnerabilities),
      ],
    );
    return stored;
  }
}
