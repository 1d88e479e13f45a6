import { z } from "zod";
import { authorization } from "../../../../src/mlops/mlflow/mlflow_transport.ts";
import type { MLflowAccess } from "../../../../src/wiring/settings/mlflow_settings.ts";

/** A registered model as MLflow holds it, to be made again. */
export interface RegisteredModel {
  versions: z.infer<typeof versionSchema>[];
  aliases: { alias: string; version: string }[];
}

const tags = z.array(z.object({ key: z.string(), value: z.string().default("") })).default([]);
const versionSchema = z.object({
  version: z.coerce.number(),
  source: z.string(),
  run_id: z.string(),
  tags,
});
const versionsSchema = z.object({ model_versions: z.array(versionSchema).default([]) });
const modelSchema = z.object({
  registered_model: z.object({
    aliases: z.array(z.object({ alias: z.string(), version: z.string() })).default([]),
  }),
});

/** One registered model of a real MLflow, which can be put back to what it was: numbers of versions begin anew. */
export class RestorableMLflow {
  readonly #mlflow: MLflowAccess;
  readonly #model: string;

  constructor(mlflow: MLflowAccess, model: string) {
    this.#mlflow = mlflow;
    this.#model = model;
  }

  async keep(): Promise<RegisteredModel> {
    const search = new URLSearchParams({ filter: `name='${this.#model}'` });
    const { model_versions: versions } = versionsSchema.parse(
      await this.#send("GET", `model-versions/search?${search.toString()}`),
    );
    versions.sort((a, b) => a.version - b.version);
    if (versions.length === 0) return { versions, aliases: [] };
    const name = new URLSearchParams({ name: this.#model });
    const model = modelSchema.parse(await this.#send("GET", `registered-models/get?${name.toString()}`));
    return { versions, aliases: model.registered_model.aliases };
  }

  async restore({ versions, aliases }: RegisteredModel): Promise<void> {
    const name = this.#model;
    await this.#send("DELETE", "registered-models/delete", { name }, 404);
    if (versions.length === 0) return;
    await this.#send("POST", "registered-models/create", { name });
    for (const { version, ...described } of versions) {
      const created = z.object({ model_version: versionSchema }).parse(
        await this.#send("POST", "model-versions/create", {
          name,
          ...described,
          ...modelOf(described.source),
        }),
      );
      const { version: made } = created.model_version;
      if (made !== version) throw new TypeError(`MLflow made version ${made} instead of ${version}`);
    }
    for (const alias of aliases) await this.#send("POST", "registered-models/alias", { name, ...alias });
  }

  /** `forgiven` is a status that is as good as success. */
  async #send(
    method: string,
    path: string,
    body?: Record<string, unknown>,
    forgiven?: number,
  ): Promise<unknown> {
    const url = `${this.#mlflow.mlflowUrl}/api/2.0/mlflow/${path}`;
    const headers = { ...authorization(this.#mlflow.mlflowAuth), "content-type": "application/json" };
    const answer = await fetch(url, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    if (answer.ok || answer.status === forgiven) return answer.json();
    throw new TypeError(`MLflow answered ${answer.status} to ${method} ${url}: ${await answer.text()}`);
  }
}

/** MLflow asks for it beside a source in a logged model, and does not tell it of a version. */
function modelOf(source: string): { model_id?: string } {
  const model_id = /^models:\/(m-[^/]+)/.exec(source)?.[1];
  return model_id === undefined ? {} : { model_id };
}
