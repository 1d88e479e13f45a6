import type { StepOf } from "./domain/plan.ts";
import { serving } from "./domain/weights.ts";
import { ArtifactRejectedError } from "./errors.ts";
import type { Database } from "./parts.ts";
import type { CallOptions, FetchedArtifact, ModelPackager, ModelRegistry, ModelServer } from "./ports.ts";

const TAKE_OVER_SECONDS = 30;

/** Takes a version from its artifact to a server that answers, and ends servers. */
export class DeploymentOrchestrator {
  readonly #registry: ModelRegistry;
  readonly #packager: ModelPackager;
  readonly #server: ModelServer;
  readonly #database: Pick<Database, "deployments" | "endpoints">;

  constructor(parts: {
    registry: ModelRegistry;
    packager: ModelPackager;
    server: ModelServer;
    database: Pick<Database, "deployments" | "endpoints">;
  }) {
    this.#database = parts.database;
    this.#registry = parts.registry;
    this.#packager = parts.packager;
    this.#server = parts.server;
  }

  /**
   * Packages exactly the files that were pinned at registration.
   * @throws ArtifactRejectedError when the artifact is no longer those files
   */
  async package(step: StepOf<"package_model">, options: CallOptions): Promise<{ bento_tag: string }> {
    const present = await this.#packager.findPackage(step.bento_tag);
    if (present !== null && present.artifact_digest === step.artifact_digest)
      return { bento_tag: present.bento_tag };
    const model = await this.#fetchPinned(step, step.model_artifact_uri, step.artifact_digest, options);
    const preprocessing =
      step.preprocessing_artifact_uri === null
        ? null
        : await this.#fetchPinned(step, step.preprocessing_artifact_uri, step.preprocessing_digest, options);
    const packaged = await this.#packager.packageModel(
      {
        bento_tag: step.bento_tag,
        model_name: step.model_name,
        version: step.version,
        model_path: model.path,
        preprocessing_path: preprocessing?.path ?? null,
        artifact_digest: step.artifact_digest,
      },
      options,
    );
    return { bento_tag: packaged.bento_tag };
  }

  async #fetchPinned(
    step: StepOf<"package_model">,
    uri: string,
    pinned: string | null,
    options: CallOptions,
  ): Promise<FetchedArtifact> {
    const fetched = await this.#registry.fetchArtifact(uri, options);
    if (fetched.digest === pinned) return fetched;
    throw new ArtifactRejectedError(
      `${uri} has changed since ${step.model_version_id} was registered: its digest is ${fetched.digest} and was ` +
        `${pinned}. Register the new files as a new version.`,
    );
  }

  async start(step: StepOf<"start_server">, options: CallOptions): Promise<{ host: string; port: number }> {
    const { step: _step, takes_over, served_before = false, beside = false, ...server } = step;
    const { deployment_id, bento_tag } = server;
    if (takes_over !== null) await this.#takeOver(takes_over, { deployment_id, bento_tag }, options);
    return this.#server.start({ ...server, served_before, beside }, options);
  }

  /** Under the claim that draining takes too, so that nobody stops the server meanwhile; without it one is started. */
  async #takeOver(
    from: string,
    to: { deployment_id: string; bento_tag: string },
    options: CallOptions,
  ): Promise<void> {
    const { deployments } = this.#database;
    const claim = { limit: 1, claim_seconds: TAKE_OVER_SECONDS, deployment_id: from };
    const [claimed] = await deployments.claimForDraining(claim);
    if (claimed === undefined) return;
    if (await this.#server.handOver(from, to, options)) await deployments.markDrained(from);
    else await deployments.giveUpDraining(from, { retry_seconds: 0 });
  }

  /** Leaves a server alone that has traffic: whoever overtook the operation that began it may have put it to use. */
  async stop(
    { deployment_id, only_former }: StepOf<"stop_server">,
    options: CallOptions,
  ): Promise<{ left_with_traffic: boolean }> {
    if (only_former === true) {
      await this.#server.stop(deployment_id, { ...options, only_former });
      return { left_with_traffic: false };
    }
    const left_with_traffic = await this.#hasTraffic(deployment_id);
    if (!left_with_traffic) await this.#server.stop(deployment_id, options);
    return { left_with_traffic };
  }

  async #hasTraffic(deploymentId: string): Promise<boolean> {
    const deployment = await this.#database.deployments.get(deploymentId);
    const endpoint =
      deployment === null ? null : await this.#database.endpoints.get(deployment.endpoint_name);
    return endpoint !== null && serving(endpoint.weights).includes(deploymentId);
  }
}
