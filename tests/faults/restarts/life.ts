import { AgentError } from "../../../src/agents/base/agent_error.ts";
import type {
  ModelDeployerAnswer,
  ModelDeployerRequest,
} from "../../../src/agents/model_deployer/state/state.ts";
import { APPROVER_TOKEN, type GivenDeployer } from "../../support/deployer.ts";
import { pollUntil, PollTimeoutError } from "../../../src/testing/poll.ts";

/** How long one caller goes on asking. */
const PATIENCE_MS = 180_000;

const STANDING = `select endpoint_name, to_jsonb(e) as row from ml_endpoints e where experiment_id = $1
  union all select endpoint_name, to_jsonb(h) from ml_traffic_history h where experiment_id = $1
  union all select endpoint_name, to_jsonb(d) from ml_deployments d where experiment_id = $1
  union all select null, to_jsonb(s) from ml_shadow_evidence s join ml_deployments using (deployment_id)
    where experiment_id = $1`;

export interface Tally {
  actions: number;
  /** Tries that were answered with an error that can be retried. */
  repeated: number;
  lost: string[];
  /** Errors that a database which comes and goes does not excuse. */
  strange: string[];
}

/** Two versions of one experiment, from their registration to a rollback: 14 actions, each asked for until it is answered. */
export class Life {
  readonly #given: GivenDeployer;
  readonly #experiment: string;
  readonly #tally: Tally;
  #asked = 0;

  constructor(given: GivenDeployer, experiment: string, tally: Tally) {
    this.#given = given;
    this.#experiment = experiment;
    this.#tally = tally;
  }

  async live(): Promise<void> {
    await this.#persist("create the experiment", async () => {
      await this.#given.db.experiments.create(
        {
          experiment_id: this.#experiment,
          experiment_name: this.#experiment,
          prediction_target: "remission",
          minimum_auc: 0.8,
          minimum_precision_at_k: null,
          maximum_fpr: null,
        },
        "ana",
      );
      return true;
    });
    const first = await this.#toProduction("run1");
    const second = await this.#toProduction("run2");
    if (first === null || second === null) return;
    await this.#act({
      deployment_action: "rollback",
      current_deployment_id: second,
      rollback_reason: "its answers are wrong",
    });
  }

  /** @returns the production deployment; null when something on the way was lost */
  async #toProduction(run: string): Promise<string | null> {
    const registered = await this.#act({
      deployment_action: "register",
      experiment_id: this.#experiment,
      mlflow_run_id: run,
    });
    const model_version_id = registered?.version_record?.model_version_id;
    if (model_version_id === undefined) return null;
    const promote = (target_stage: "staging" | "shadow" | "production") =>
      this.#act({ deployment_action: "promote", model_version_id, target_stage });
    const deploy = (target_stage: "staging" | "shadow" | "production") =>
      this.#act({ deployment_action: "deploy", model_version_id, target_stage, rollout: "immediate" });
    await promote("staging");
    await deploy("staging");
    await promote("shadow");
    const shadow = (await deploy("shadow"))?.deployment_manifest;
    if (shadow === null || shadow === undefined) return null;
    this.#given.router.sendTraffic(shadow.endpoint_name, 1000);
    await this.#persist("let a day pass", () =>
      this.#given.world.sql(
        "update ml_deployments set activated_at = activated_at - interval '24 hours' where deployment_id = $1",
        [shadow.deployment_id],
      ),
    );
    await promote("production");
    return (await deploy("production"))?.deployment_manifest?.deployment_id ?? null;
  }

  async #act(request: ModelDeployerRequest): Promise<ModelDeployerAnswer | null> {
    this.#tally.actions += 1;
    this.#asked += 1;
    const asked = { ...request, request_id: `${this.#experiment}.${this.#asked}` };
    const answer = await this.#persist(`${request.deployment_action} of ${this.#experiment}`, async () => {
      try {
        const given = await this.#given.agent.execute(asked);
        return given.status === "completed" ? given : null;
      } catch (error) {
        return (await this.#isWorthAnotherTry(error)) ? null : "final";
      }
    });
    return answer === "final" ? null : answer;
  }

  async #isWorthAnotherTry(error: unknown): Promise<boolean> {
    this.#tally.repeated += 1;
    if (error instanceof AgentError && error.code === "approval_required") {
      const operation_id = String(error.details["operation_id"]);
      await this.#given.db.approvals.grant({
        token: APPROVER_TOKEN,
        operation_id,
        reason: "the figures are good",
      });
      return true;
    }
    if (error instanceof AgentError && error.retryable) return true;
    this.#tally.strange.push(`${this.#experiment}: ${String(error)}`);
    return false;
  }

  async #persist<T>(
    what: string,
    work: () => Promise<T>,
  ): Promise<Exclude<T, undefined | null | false> | null> {
    try {
      return await pollUntil(work, { deadlineMs: PATIENCE_MS, what, intervalMs: 200 });
    } catch (error) {
      if (!(error instanceof PollTimeoutError)) throw error;
      this.#tally.lost.push(`${error.message}; ${await this.#standing()}`);
      return null;
    }
  }

  /** The database's and the router's state of this experiment, to find out why an action was lost. */
  async #standing(): Promise<string> {
    const rows = await pollUntil(() => this.#given.world.sql(STANDING, [this.#experiment]), {
      deadlineMs: PATIENCE_MS,
      what: "look at what stands",
    });
    const names = rows.flatMap(({ endpoint_name: name }) => (typeof name === "string" ? [name] : []));
    const signal = AbortSignal.timeout(10_000);
    const routes = await Promise.all(
      [...new Set(names)].map(async (name) => ({
        route: await this.#given.router.observe(name, { signal }),
        figures: await this.#given.router.figures(name, { signal }),
      })),
    );
    return JSON.stringify({ rows, routes });
  }
}
