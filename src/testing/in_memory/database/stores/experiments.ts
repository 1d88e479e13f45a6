import {
  type Experiment,
  experimentSchema,
  type GatePolicy,
  type NewGatePolicy,
  STANDARD_GATE_POLICY,
} from "../../../../agents/model_deployer/domain/entities.ts";
import { ConflictError, InvalidRequestError } from "../../../../agents/model_deployer/errors.ts";
import { newGatePolicy } from "../../../../database/gate_policy.ts";
import type { Experiments } from "../../../../agents/model_deployer/store_ports.ts";
import { check } from "../table.ts";
import type { Tables } from "../tables.ts";

const isWithin = (value: number | null, low: number, high: number): boolean =>
  value === null || (value >= low && value <= high);

export class InMemoryExperiments implements Experiments {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async get(experimentId: string): Promise<Experiment | null> {
    return this.#tables.experiments.get(experimentId);
  }

  async create(experiment: Experiment): Promise<void> {
    check(isWithin(experiment.minimum_auc, 0.5, 1), "ml_experiments_minimum_auc_check");
    check(isWithin(experiment.minimum_precision_at_k, 0, 1), "ml_experiments_minimum_precision_at_k_check");
    check(isWithin(experiment.maximum_fpr, 0, 1), "ml_experiments_maximum_fpr_check");
    const found = this.#tables.experiments.get(experiment.experiment_id);
    if (found === null) {
      this.#tables.experiments.insert(experiment);
      return;
    }
    const differing = experimentSchema.keyof().options.filter((key) => found[key] !== experiment[key]);
    if (differing.length === 0) return;
    throw new ConflictError(
      `Experiment ${experiment.experiment_id} exists with another ${differing.join(", ")}; use another id`,
      { retryable: false, details: { expected: experiment, found } },
    );
  }

  async getGatePolicy(experimentId: string): Promise<GatePolicy> {
    const policies = this.#tables.policies.where((row) => row.experiment_id === experimentId);
    const { experiment_id: _experiment, ...policy } = policies.at(-1) ?? {
      experiment_id: experimentId,
      ...STANDARD_GATE_POLICY,
    };
    return policy;
  }

  async setGatePolicy(experimentId: string, policy: NewGatePolicy): Promise<GatePolicy> {
    const stored = newGatePolicy(policy);
    if (policy.kind === "demo" && this.#tables.installation !== "demo") {
      throw new InvalidRequestError(`a demo policy for ${experimentId} in a database that is no demo`);
    }
    this.#tables.experiments.require(experimentId);
    this.#tables.policies.insert({ ...stored, experiment_id: experimentId });
    return stored;
  }
}
