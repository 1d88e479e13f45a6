import {
  ArtifactRejectedError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import type { RegisteredVersion } from "../../agents/model_deployer/ports/model_registry_port.ts";
import { storedPath, type LocatedArtifact } from "./artifacts/artifact_locator.ts";
import { parseArtifactUri } from "./artifacts/artifact_uri.ts";
import type { MLflowModelVersion } from "./mlflow_answers.ts";
import type { MLflowClient, NewModelVersion } from "./mlflow_client.ts";
import { SERVICE } from "./mlflow_errors.ts";
import { requestTag } from "./name_rules.ts";

export const REQUEST_TAG = "model_deployer.request_key";
export const SOURCE_TAG = "model_deployer.source";

export interface VersionRequest {
  model_name: string;
  run_id: string;
  source: string;
  request_key: string;
}

/**
 * How many creations are sent; after each that fails, the registry is searched for a version that it made all the same.
 */
const CREATIONS = 2;

/**
 * Creates the version of a request, at most once. MLflow has no unique key for that, so the version carries the request
 * as a tag. Of several with the same tag (two callers at once, or a creation that came through after its reply was given
 * up) the lowest number is the one: MLflow hands numbers out in order, so that all who look afterwards agree on it.
 */
export class VersionRegistration {
  readonly #client: MLflowClient;
  readonly #locate: (uri: string, signal: AbortSignal) => Promise<LocatedArtifact>;

  constructor(client: MLflowClient, locate: (uri: string, signal: AbortSignal) => Promise<LocatedArtifact>) {
    this.#client = client;
    this.#locate = locate;
  }

  /** @throws ServiceRefusedError | ArtifactRejectedError | NotFoundError | ServiceUnavailableError */
  async register(request: VersionRequest, signal: AbortSignal): Promise<RegisteredVersion> {
    const existing = await this.#find(request, signal);
    if (existing !== null) return existing;
    const version = await this.#describe(request, signal);
    await this.#client.ensureRegisteredModel(request.model_name, signal);
    for (let creation = 1; ; creation += 1) {
      try {
        await this.#client.createModelVersion(version, signal);
      } catch (error) {
        if (!(error instanceof ServiceUnavailableError)) throw error;
        const made = await this.#find(request, signal);
        if (made !== null) return made;
        if (creation === CREATIONS) throw error;
        continue;
      }
      const made = await this.#find(request, signal);
      if (made !== null) return made;
      throw new ServiceRefusedError(
        SERVICE,
        `MLflow created a version of ${request.model_name} but does not find it by its tag ${REQUEST_TAG}.`,
      );
    }
  }

  /** The one version of this request; others with its tag are removed. */
  async #find(request: VersionRequest, signal: AbortSignal): Promise<RegisteredVersion | null> {
    const query = { name: request.model_name, tag: REQUEST_TAG, value: requestTag(request.request_key) };
    const found = await this.#client.findModelVersions(query, signal);
    const [first, ...surplus] = found.sort((a, b) => a.version - b.version);
    if (first === undefined) return null;
    refuseOtherContent(request, first);
    for (const { name, version } of surplus) await this.#client.deleteModelVersion(name, version, signal);
    return registeredVersion(first);
  }

  async #describe(request: VersionRequest, signal: AbortSignal): Promise<NewModelVersion> {
    const located = await this.#locate(request.source, signal);
    await this.#checkOwner(request, located, signal);
    return {
      name: request.model_name,
      run_id: request.run_id,
      ...registrable(request.source, located),
      tags: { [REQUEST_TAG]: requestTag(request.request_key), [SOURCE_TAG]: request.source },
    };
  }

  /** Metrics come from the run, so files of another run must not be registered under it. */
  async #checkOwner(request: VersionRequest, located: LocatedArtifact, signal: AbortSignal): Promise<void> {
    let owner = located.run_id;
    if (owner === null && located.model_id !== null) {
      const model = await this.#client.getLoggedModel(located.model_id, signal);
      if (isInside(located.path, storedPath(request.source, model.artifact_uri))) owner = model.source_run_id;
    } else if (owner === null) {
      const run = await this.#client.getRun(request.run_id, signal);
      if (isInside(located.path, storedPath(request.source, run.info.artifact_uri))) owner = run.info.run_id;
    }
    if (owner === request.run_id) return;
    throw new ArtifactRejectedError(
      `${request.source} does not belong to run ${request.run_id}, whose metrics would stand for it; name that run's own artifact.`,
    );
  }
}

export function registeredVersion(version: MLflowModelVersion): RegisteredVersion {
  return {
    model_name: version.name,
    version: version.version,
    source: version.source,
    run_id: version.run_id,
  };
}

function refuseOtherContent(request: VersionRequest, found: MLflowModelVersion): void {
  const source = found.tags.find(({ key }) => key === SOURCE_TAG)?.value ?? found.source;
  if (found.run_id === request.run_id && source === request.source) return;
  throw new ServiceRefusedError(
    SERVICE,
    `Request key ${JSON.stringify(request.request_key.slice(0, 200))} made ${found.name} version ${found.version} from ` +
      `${source} of run ${found.run_id}; it cannot stand for ${request.source} of run ${request.run_id}. Use another key.`,
  );
}

function isInside(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}

/**
 * The source in the form that MLflow takes and can load again: it wants a `model_id` for whatever lies in a logged model,
 * and cannot load a version whose source is `runs:/...` where the run's model is a logged model.
 */
function registrable(source: string, located: LocatedArtifact): Pick<NewModelVersion, "source" | "model_id"> {
  const { kind } = parseArtifactUri(source);
  const { model_id } = located;
  if (kind === "run" && model_id !== null && located.path.endsWith(`${model_id}/artifacts`)) {
    return { source: `models:/${model_id}`, model_id };
  }
  return { source, model_id: kind === "logged_model" || kind === "stored" ? model_id : null };
}
