import { ArtifactRejectedError, NotFoundError } from "../../../agents/model_deployer/errors.ts";
import { parseArtifactUri, type ArtifactUri } from "./artifact_uri.ts";
import type { MLflowLoggedModel, MLflowRun } from "../mlflow_answers.ts";
import type { MLflowClient } from "../mlflow_client.ts";
import { orNullWhenMissing } from "../mlflow_errors.ts";

export interface LocatedArtifact {
  /** Under the tracking server's artifact root. */
  path: string;
  kind: "folder" | "file";
  /** The run that made it, where the way to it says so. */
  run_id: string | null;
  /** The logged model that it is, or lies in. */
  model_id: string | null;
}

/** A version may point to a version or a run, which points to a path: real chains are shorter than this. */
const MAXIMUM_HOPS = 4;

/** Finds where the files behind an artifact URI lie. Since MLflow 3 models lie beside their run, no longer inside it. */
export class ArtifactLocator {
  readonly #client: MLflowClient;

  constructor(client: MLflowClient) {
    this.#client = client;
  }

  /** @throws ArtifactRejectedError | NotFoundError when there is no file behind the URI */
  async locate(uri: string, signal: AbortSignal): Promise<LocatedArtifact> {
    return await this.#follow(uri, parseArtifactUri(uri), signal, MAXIMUM_HOPS);
  }

  async #follow(
    uri: string,
    parsed: ArtifactUri,
    signal: AbortSignal,
    hopsLeft: number,
  ): Promise<LocatedArtifact> {
    switch (parsed.kind) {
      case "stored":
        return await this.#stored(uri, parsed.path, signal);
      case "logged_model":
        return await this.#inLoggedModel(
          uri,
          await this.#client.getLoggedModel(parsed.model_id, signal),
          "",
          signal,
        );
      case "run":
        return await this.#inRun(uri, parsed, signal);
      case "model_version": {
        if (hopsLeft === 0)
          throw new ArtifactRejectedError(`${uri} leads from version to version without an end.`);
        const target = await this.#client.getDownloadUri(parsed.name, parsed.version, signal);
        return await this.#follow(uri, parseArtifactUri(target), signal, hopsLeft - 1);
      }
      default:
        return parsed satisfies never;
    }
  }

  async #stored(uri: string, path: string, signal: AbortSignal): Promise<LocatedArtifact> {
    const modelId = /(?:^|\/)models\/(m-[A-Za-z0-9]{1,64})\/artifacts(?:\/|$)/.exec(path)?.[1] ?? null;
    const kind = await this.#kindOf(path, signal);
    if (kind === null) throw nothingThere(uri, `mlflow-artifacts:/${path}`);
    return { path, kind, run_id: null, model_id: modelId };
  }

  async #inRun(
    uri: string,
    target: { run_id: string; path: string },
    signal: AbortSignal,
  ): Promise<LocatedArtifact> {
    const run = await this.#client.getRun(target.run_id, signal);
    const path = `${storedPath(uri, run.info.artifact_uri)}/${target.path}`;
    const kind = await this.#kindOf(path, signal);
    if (kind !== null) return { path, kind, run_id: run.info.run_id, model_id: null };
    const model = await this.#modelOfRun(run, target.path, signal);
    if (model === null)
      throw nothingThere(uri, `run ${target.run_id}, neither as a path nor as a logged model`);
    return await this.#inLoggedModel(uri, model, target.path.slice(model.name.length), signal);
  }

  /** The newest model that the run has logged under the name that the path begins with. */
  async #modelOfRun(run: MLflowRun, path: string, signal: AbortSignal): Promise<MLflowLoggedModel | null> {
    const ids = run.outputs.model_outputs.map(({ model_id }) => model_id);
    const models = await Promise.all(
      ids.map((id) => orNullWhenMissing(this.#client.getLoggedModel(id, signal))),
    );
    const named = models.flatMap((model) => {
      return model !== null && (path === model.name || path.startsWith(`${model.name}/`)) ? [model] : [];
    });
    return named.sort((a, b) => b.creation_timestamp_ms - a.creation_timestamp_ms)[0] ?? null;
  }

  async #inLoggedModel(
    uri: string,
    model: MLflowLoggedModel,
    subpath: string,
    signal: AbortSignal,
  ): Promise<LocatedArtifact> {
    if (["LOGGED_MODEL_PENDING", "LOGGED_MODEL_UPLOAD_FAILED"].includes(model.status)) {
      throw new ArtifactRejectedError(
        `${uri} is logged model ${model.model_id}, whose upload is not complete (${model.status}); log it again.`,
      );
    }
    const path = `${storedPath(uri, model.artifact_uri)}${subpath}`;
    const kind = await this.#kindOf(path, signal);
    if (kind === null) throw nothingThere(uri, `logged model ${model.model_id}`);
    return { path, kind, run_id: model.source_run_id || null, model_id: model.model_id };
  }

  /** A listing is as empty for a file as for nothing; its folder's listing tells them apart. */
  async #kindOf(path: string, signal: AbortSignal): Promise<"folder" | "file" | null> {
    if ((await this.#client.listArtifacts(path, signal)).length > 0) return "folder";
    const cut = path.lastIndexOf("/");
    if (cut < 1) return null;
    const siblings = await this.#client.listArtifacts(path.slice(0, cut), signal);
    const name = path.slice(cut + 1);
    return siblings.some((entry) => entry.path === name && !entry.is_dir) ? "file" : null;
  }
}

/** The path behind an artifact root that MLflow has named. @throws ArtifactRejectedError */
export function storedPath(uri: string, root: string): string {
  const parsed = root.startsWith("mlflow-artifacts:") ? parseArtifactUri(root) : null;
  if (parsed?.kind === "stored") return parsed.path;
  throw new ArtifactRejectedError(
    `${uri} lies outside MLflow's artifact service, which is all that may be read; run mlflow server with --serve-artifacts.`,
  );
}

function nothingThere(uri: string, where: string): NotFoundError {
  return new NotFoundError(`There is no artifact behind ${uri}: nothing lies at ${where}.`);
}
