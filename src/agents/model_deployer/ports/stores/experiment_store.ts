import type { Origin } from "../../domain/access/roles.ts";
import type { Criterion, Experiment } from "../../domain/entities.ts";
import type { GatePolicy, NewGatePolicy } from "../../domain/models/gate_policy.ts";

export interface Experiments {
  get(experimentId: string): Promise<Experiment | null>;
  /** Idempotent for the same content. @throws ConflictError */
  create(experiment: Experiment, createdBy: string, from?: Origin | null): Promise<void>;
  /** Sets the criteria from now on, in the place of all for other metrics; the former ones stay in the history. */
  setCriteria(
    experimentId: string,
    criteria: Criterion[],
    by: { reason: string; set_by: string; origin?: Origin | null },
  ): Promise<void>;
  /** The experiment's newest policy, or the standard one. */
  getGatePolicy(experimentId: string): Promise<GatePolicy>;
  /** @throws InvalidRequestError for a demo policy in a database that is no demo. */
  setGatePolicy(
    experimentId: string,
    policy: NewGatePolicy,
    setBy: string,
    from?: Origin | null,
  ): Promise<GatePolicy>;
}
