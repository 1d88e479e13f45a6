import {
  experimentSchema,
  gatePolicySchema,
  STANDARD_GATE_POLICY,
  type Experiment,
  type GatePolicy,
  type NewGatePolicy,
} from "../../agents/model_deployer/domain/entities.ts";
import { ConflictError } from "../../agents/model_deployer/errors.ts";
import { newGatePolicy } from "../gate_policy.ts";
import type { Experiments } from "../../agents/model_deployer/store_ports.ts";
import { anyRow, type Database } from "../pool.ts";

const experimentColumns = Object.keys(experimentSchema.shape).join(", ");
const policyColumns = Object.keys(gatePolicySchema.shape).join(", ");

export class MLExperimentRepository implements Experiments {
  readonly #database: Database;
  readonly #owner: Database;

  /** `owner` may write what the deployer's own role only reads. */
  constructor(database: Database, owner: Database) {
    this.#database = database;
    this.#owner = owner;
  }

  async get(experimentId: string): Promise<Experiment | null> {
    const [experiment] = await this.#database.query(
      experimentSchema,
      `select ${experimentColumns} from ml_experiments where experiment_id = $1`,
      [experimentId],
    );
    return experiment ?? null;
  }

  async create(experiment: Experiment, createdBy: string): Promise<void> {
    await this.#database.query(
      anyRow,
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
    const differing = experimentSchema.keyof().options.filter((key) => found?.[key] !== experiment[key]);
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
  async setGatePolicy(experimentId: string, policy: NewGatePolicy, setBy: string): Promise<GatePolicy> {
    const stored = newGatePolicy(policy);
    await this.#owner.query(
      anyRow,
      `insert into ml_gate_policies (experiment_id, policy_id, kind, minimum_shadow_hours, minimum_shadow_requests,
         maximum_shadow_error_rate, maximum_shadow_p99_ms, maximum_shadow_disagreement, approvals_for_production,
         approvals_by_move, during_rollout, reason, set_by)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
      [
        experimentId,
        stored.policy_id,
        stored.kind,
        stored.minimum_shadow_hours,
        stored.minimum_shadow_requests,
        stored.maximum_shadow_error_rate,
        stored.maximum_shadow_p99_ms,
        stored.maximum_shadow_disagreement,
        stored.approvals_for_production,
        JSON.stringify(stored.approvals_by_move),
        stored.during_rollout,
        stored.reason,
        setBy,
      ],
    );
    return stored;
  }
}
