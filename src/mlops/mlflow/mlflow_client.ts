import { NotFoundError, ServiceRefusedError } from "../../agents/model_deployer/errors.ts";
import {
  acknowledgementSchema,
  artifactListSchema,
  downloadUriAnswerSchema,
  loggedModelAnswerSchema,
  modelVersionAnswerSchema,
  modelVersionsAnswerSchema,
  runAnswerSchema,
  type ArtifactEntry,
  type MLflowLoggedModel,
  type MLflowModelVersion,
  type MLflowRun,
} from "./mlflow_answers.ts";
import { alreadyExists, SERVICE } from "./mlflow_errors.ts";
import { MLflowTransport, type Call, type MLflowTransportOptions } from "./mlflow_transport.ts";

const API = "/api/2.0/mlflow";
const ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts";

export type MLflowClientOptions = MLflowTransportOptions;

export interface NewModelVersion {
  name: string;
  source: string;
  run_id: string;
  /** Required by MLflow where the source lies in a logged model. */
  model_id: string | null;
  tags: Record<string, string>;
}

/**
 * The part of MLflow's REST interface that the deployer uses; tested against MLflow 3.17.
 *
 * All calls raise ServiceUnavailableError when the server does not answer in time (after retries where a repetition is
 * harmless), NotFoundError when it does not know the thing, ServiceRefusedError when it refuses or makes no sense.
 */
export class MLflowClient {
  readonly #transport: MLflowTransport;

  /** @throws ConfigurationError */
  constructor(options: MLflowClientOptions) {
    this.#transport = new MLflowTransport(options);
  }

  /** Resolves when the server answers `/health`; one try, past retries and breaker. */
  async health(signal: AbortSignal): Promise<void> {
    const answer = await this.#transport.probe("/health", signal);
    if (answer.trim() === "OK") return;
    throw new ServiceRefusedError(
      SERVICE,
      `${this.#transport.origin}/health is not that of an MLflow server.`,
    );
  }

  async getRun(runId: string, signal: AbortSignal): Promise<MLflowRun> {
    return (await this.#transport.json(get("/runs/get", { run_id: runId }), runAnswerSchema, signal)).run;
  }

  async getLoggedModel(modelId: string, signal: AbortSignal): Promise<MLflowLoggedModel> {
    const call = get(`/logged-models/${encodeURIComponent(modelId)}`);
    return (await this.#transport.json(call, loggedModelAnswerSchema, signal)).model.info;
  }

  /** Idempotent. */
  async ensureRegisteredModel(name: string, signal: AbortSignal): Promise<void> {
    const call = send("POST", "/registered-models/create", { name });
    try {
      await this.#transport.json(call, acknowledgementSchema, signal);
    } catch (error) {
      if (!alreadyExists(error)) throw error;
    }
  }

  /** Sent once: a repetition would make a second version. After ServiceUnavailableError it may or may not exist. */
  async createModelVersion(version: NewModelVersion, signal: AbortSignal): Promise<MLflowModelVersion> {
    const { model_id, tags, ...rest } = version;
    const body = {
      ...rest,
      ...(model_id !== null && { model_id }),
      tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
    };
    const call: Call = { ...send("POST", "/model-versions/create", body), repeatable: false };
    return (await this.#transport.json(call, modelVersionAnswerSchema, signal)).model_version;
  }

  async getModelVersion(name: string, version: number, signal: AbortSignal): Promise<MLflowModelVersion> {
    const call = get("/model-versions/get", { name, version: String(version) });
    return (await this.#transport.json(call, modelVersionAnswerSchema, signal)).model_version;
  }

  /** Where the version's files lie: usually `mlflow-artifacts:/...`, for some sources `runs:/...`. */
  async getDownloadUri(name: string, version: number, signal: AbortSignal): Promise<string> {
    const call = get("/model-versions/get-download-uri", { name, version: String(version) });
    return (await this.#transport.json(call, downloadUriAnswerSchema, signal)).artifact_uri;
  }

  /** All versions of the model with exactly this tag. None of the three may hold a quote. */
  async findModelVersions(
    query: { name: string; tag: string; value: string },
    signal: AbortSignal,
  ): Promise<MLflowModelVersion[]> {
    const filter = `name='${query.name}' and tags.\`${query.tag}\`='${query.value}'`;
    const found: MLflowModelVersion[] = [];
    let pageToken = "";
    do {
      const paging = pageToken === "" ? {} : { page_token: pageToken };
      const call = get("/model-versions/search", { filter, max_results: "200", ...paging });
      const page = await this.#transport.json(call, modelVersionsAnswerSchema, signal);
      found.push(...page.model_versions);
      pageToken = page.next_page_token;
    } while (pageToken !== "");
    // Whether the filter minds upper and lower case is up to the server's database.
    return found.filter(({ name, tags }) => {
      return name === query.name && tags.some(({ key, value }) => key === query.tag && value === query.value);
    });
  }

  /** Idempotent. */
  async deleteModelVersion(name: string, version: number, signal: AbortSignal): Promise<void> {
    const call = send("DELETE", "/model-versions/delete", { name, version: String(version) });
    try {
      await this.#acknowledged(call, signal);
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
    }
  }

  async setModelVersionTag(
    target: { name: string; version: number },
    tag: { key: string; value: string },
    signal: AbortSignal,
  ): Promise<void> {
    const body = { name: target.name, version: String(target.version), ...tag };
    await this.#acknowledged(send("POST", "/model-versions/set-tag", body), signal);
  }

  async setAlias(
    target: { name: string; version: number },
    alias: string,
    signal: AbortSignal,
  ): Promise<void> {
    const body = { name: target.name, alias, version: String(target.version) };
    await this.#acknowledged(send("POST", "/registered-models/alias", body), signal);
  }

  /** An alias that does not exist is no error. */
  async deleteAlias(name: string, alias: string, signal: AbortSignal): Promise<void> {
    await this.#acknowledged(send("DELETE", "/registered-models/alias", { name, alias }), signal);
  }

  async transitionStage(
    target: { name: string; version: number },
    stage: "Staging" | "Production" | "Archived",
    signal: AbortSignal,
  ): Promise<void> {
    const body = {
      name: target.name,
      version: String(target.version),
      stage,
      archive_existing_versions: false,
    };
    await this.#acknowledged(send("POST", "/model-versions/transition-stage", body), signal);
  }

  /** The entries directly inside a folder of the artifact root; empty for a file and for a path that does not exist. */
  async listArtifacts(path: string, signal: AbortSignal): Promise<ArtifactEntry[]> {
    const call: Call = { method: "GET", path: ARTIFACTS, query: { path }, repeatable: true };
    return (await this.#transport.json(call, artifactListSchema, signal)).files;
  }

  /** Streams one file; `consume` starts again from the beginning when the answer breaks off. */
  async readArtifact<T>(
    path: string,
    consume: (body: AsyncIterable<Uint8Array>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    const call: Call = { method: "GET", path: `${ARTIFACTS}/${encoded}`, repeatable: true };
    return await this.#transport.stream(call, consume, signal);
  }

  /** Ends idle connections. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #acknowledged(call: Call, signal: AbortSignal): Promise<void> {
    await this.#transport.json(call, acknowledgementSchema, signal);
  }
}

function get(path: string, query?: Record<string, string>): Call {
  return { method: "GET", path: `${API}${path}`, repeatable: true, ...(query !== undefined && { query }) };
}

function send(method: "POST" | "DELETE", path: string, body: Record<string, unknown>): Call {
  return { method, path: `${API}${path}`, body, repeatable: true };
}
