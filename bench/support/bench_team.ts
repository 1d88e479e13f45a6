import { randomBytes } from "node:crypto";
import pg from "pg";
import { NotFoundError } from "../../src/agents/model_deployer/errors.ts";
import type { ModelDeployer } from "../../src/wiring/model_deployer.ts";
import { MLflowSeed } from "../../tests/integration/mlflow/mlflow_seed.ts";
import { enrolOperatingUser } from "../../tests/support/given/enrolled_user.ts";
import { Releases } from "../../tests/support/releases.ts";

/** A deployer's team in a benchmark: somebody at the desk, somebody who approves, and their releases. */
export class BenchTeam {
  readonly releases: Releases;
  readonly #deployer: ModelDeployer;
  readonly #seed: MLflowSeed;
  readonly #pool: pg.Pool;

  private constructor(deployer: ModelDeployer, token: string) {
    const { addresses } = deployer;
    this.#deployer = deployer;
    this.#seed = new MLflowSeed(addresses);
    this.#pool = new pg.Pool({ connectionString: addresses.databaseOwnerUrl, max: 1 });
    const sql = async (text: string, values?: unknown[]) =>
      (await this.#pool.query<Record<string, unknown>>(text, values)).rows;
    this.releases = new Releases({ deployer, sql, token });
  }

  static async at(deployer: ModelDeployer): Promise<BenchTeam> {
    const token = randomBytes(24).toString("hex");
    await deployer.database.principals.enrol("omar", token);
    await enrolOperatingUser(deployer.database);
    return new BenchTeam(deployer, token);
  }

  async plan(experiment_id: string): Promise<void> {
    const criteria = { minimum_auc: 0.8, minimum_precision_at_k: null, maximum_fpr: null };
    const described = { experiment_name: experiment_id, prediction_target: "x" };
    await this.#deployer.database.experiments.create({ experiment_id, ...described, ...criteria }, "bench");
  }

  /** A version of the experiment, of a run that has logged these files as its model. */
  async register(experiment_id: string, model: Record<string, string>): Promise<string> {
    const { run_id } = await this.#seed.addRun({ metrics: { roc_auc: 0.9 }, models: { model } });
    const asked = { experiment_id, mlflow_run_id: run_id };
    const { model_version_id } = await this.releases.act("register", asked);
    return model_version_id ?? missing("A registration ended without a version.");
  }

  /** Past its gate and served, with the manifest of its deployment. */
  async serve(model_version_id: string, limits: Record<string, unknown> = {}) {
    await this.releases.toProductionStage(model_version_id);
    return this.deploy({ model_version_id, target_stage: "production", ...limits });
  }

  async deploy(asked: Record<string, unknown>) {
    const { deployment_manifest: manifest } = await this.releases.act("deploy", asked);
    return manifest ?? missing("A deployment ended without a manifest.");
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

function missing(what: string): never {
  throw new NotFoundError(what);
}
