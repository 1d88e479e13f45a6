import { modelVersionSchema, type ModelVersion } from "../../agents/model_deployer/domain/entities.ts";
import type { ModelVersions } from "../../agents/model_deployer/ports/stores/entity_stores.ts";
import type { SqlDatabase } from "../connection/pool.ts";
import { modelVersionColumns } from "../rows.ts";

export class MLModelRegistryRepository implements ModelVersions {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async get(modelVersionId: string): Promise<ModelVersion | null> {
    return this.#first("v.model_version_id = $1", [modelVersionId]);
  }

  async getByRun(experimentId: string, mlflowRunId: string): Promise<ModelVersion | null> {
    return this.#first(
      `v.experiment_id = $1 and v.mlflow_run_id = $2 and not exists (
         select from ml_model_registry n where n.earlier_version_id = v.model_version_id)`,
      [experimentId, mlflowRunId],
    );
  }

  async getProduction(experimentId: string): Promise<ModelVersion | null> {
    return this.#first("v.experiment_id = $1 and v.stage = 'production'", [experimentId]);
  }

  /** Oldest version first. */
  async list(experimentId: string): Promise<ModelVersion[]> {
    return this.#select("v.experiment_id = $1", [experimentId]);
  }

  async #first(condition: string, values: string[]): Promise<ModelVersion | null> {
    return (await this.#select(condition, values))[0] ?? null;
  }

  async #select(condition: string, values: string[]): Promise<ModelVersion[]> {
    return this.#database.query(
      modelVersionSchema,
      `select ${modelVersionColumns} from ml_model_registry v where ${condition}
       order by v.registered_at, v.model_name, v.version`,
      values,
    );
  }
}
