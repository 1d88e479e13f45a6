import type { StepOf } from "../domain/plan.ts";
import { serving } from "../domain/traffic/weights.ts";
import { assertAllowed } from "./assert_allowed.ts";
import { assertSigned } from "./assert_signed.ts";
import { ArtifactRejectedError, ConflictError } from "../errors.ts";
import type { Database } from "../ports/parts.ts";
import type { CallOptions, LongCallOptions } from "../ports/call_options.ts";
import type { FetchedArtifact, ModelRegistry } from "../ports/model_registry_port.ts";
import type { ModelPackager } from "../ports/model_packager_port.ts";
import {
  isBehind,
  type ModelServer,
  type ServerUsage,
  type StartedServer,
} from "../ports/model_server_port.ts";

const TAKE_OVER_SECONDS = 30;
/** A running server that takes longer than this to answer its health check is not adopted. */
const ADOPTION_MS = 1000;

interface Started extends StartedServer, Record<string, unknown> {
  limits_enforced: boolean | null;
  limits_note: string | null;
}

/** Takes a version from its artifact to a server that answers, and ends servers. */
export class DeploymentOrchestrator {
  readonly #registry: ModelRegistry;
  readonly #packager: ModelPackager;
  readonly #server: ModelServer;
  readonly #usage: ServerUsage | undefined;
  readonly #database: Pick<Database, "deployments" | "endpoints">;

  constructor(parts: {
    registry: ModelRegistry;
    packager: ModelPackager;
    server: ModelServer;
    serverUsage?: ServerUsage;
    database: Pick<Database, "deployments" | "endpoints">;
  }) {
    this.#database = parts.database;
    this.#registry = parts.registry;
    this.#packager = parts.packager;
    this.#server = parts.server;
    this.#usage = parts.serverUsage;
  }

  /**
   * Packages exactly the files that were pinned at registration.
   * @throws ArtifactRejectedError when the artifact is no longer those files, or is in a format, or by a signer, that is not allowed
   */
  async package(step: StepOf<"package_model">, options: LongCallOptions): Promise<{ bento_tag: string }> {
    const present = await this.#packager.findPackage(step.bento_tag);
    const isPackaged = present !== null && present.artifact_digest === step.artifact_digest;
    const isChecked = step.allowed === undefined && step.signers === undefined;
    if (isPackaged && isChecked) return { bento_tag: present.bento_tag };
    const model = await this.#fetchPinned(step, "model", options);
    const preprocessing =
      step.preprocessing_artifact_uri === null
        ? null
        : await this.#fetchPinned(step, "preprocessing", options);
    if (isPackaged) return { bento_tag: present.bento_tag };
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
    artifact: "model" | "preprocessing",
    options: LongCallOptions,
  ): Promise<FetchedArtifact> {
    const isModel = artifact === "model";
    const uri = (isModel ? null : step.preprocessing_artifact_uri) ?? step.model_artifact_uri;
    const pinned = isModel ? step.artifact_digest : step.preprocessing_digest;
    const { signers } = step;
    const fetched = await this.#registry.fetchArtifact(uri, { ...options, ...(signers && { signers }) });
    if (fetched.digest === pinned) {
      assertAllowed(step.allowed, fetched.loading, { artifact, uri });
      assertSigned(signers, fetched.signed_by, uri);
      return fetched;
    }
    throw new ArtifactRejectedError(
      `${uri} has changed since ${step.model_version_id} was registered: its digest is ${fetched.digest} and was ` +
        `${pinned}. Register the new files as a new version.`,
    );
  }

  /** With the address, what contains the servers and whether their limits hold. */
  async start(step: StepOf<"start_server">, options: CallOptions): Promise<Started> {
    const {
      step: _step,
      takes_over,
      adopts,
      must_adopt = false,
      served_before = false,
      beside = false,
      replica,
      sized_by,
      engine: _engine,
      ...server
    } = step;
    const { deployment_id, bento_tag } = server;
    if (takes_over !== null) await this.#takeOver(takes_over, { deployment_id, bento_tag }, options);
    if (adopts !== undefined) {
      const isAdopted = await this.#adopt(adopts, { deployment_id, bento_tag }, options);
      if (must_adopt && !isAdopted) throw notAdopted(adopts, deployment_id);
    }
    const one = { ...(replica !== undefined && { replica }), ...(sized_by !== undefined && { sized_by }) };
    const address = await this.#server.start({ ...server, served_before, beside, ...one }, options);
    return { ...address, ...(await this.#limitsOf(deployment_id, options)) };
  }

  async #limitsOf(
    deploymentId: string,
    options: CallOptions,
  ): Promise<Pick<Started, "limits_enforced" | "limits_note">> {
    const limits = await this.#usage?.limits(deploymentId, options);
    if (limits === undefined || limits === null) return { limits_enforced: null, limits_note: null };
    if (limits.enforced) return { limits_enforced: true, limits_note: null };
    const note = `${limits.reason}. A server that holds more than its memory_limit is replaced at a look of the worker; its CPU is not limited.`;
    return { limits_enforced: false, limits_note: note };
  }

  /**
   * Takes the server over under the claim that draining uses, so that nobody stops it meanwhile; where there is none,
   * one is started.
   */
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

  /**
   * Nobody else ends or moves it: the endpoint's lease is held. One that hangs or is behind stays where it is.
   * @returns whether the deployment has it, since now or since an earlier try
   */
  async #adopt(
    from: string,
    to: { deployment_id: string; bento_tag: string },
    options: CallOptions,
  ): Promise<boolean> {
    const observed = await this.#server.observe(from, { ...options, patience_ms: ADOPTION_MS });
    const isFree = observed.state === "ready" && !isBehind(observed);
    if (isFree && (await this.#server.handOver(from, to, options))) return true;
    const { deployment_id } = to;
    const own = await this.#server.observe(deployment_id, { ...options, patience_ms: ADOPTION_MS });
    return own.state !== "absent";
  }

  /** Does nothing where the deployment that had it has ended meanwhile, or has a server again. */
  async giveBack(
    { deployment_id, to_deployment_id }: StepOf<"give_back_server">,
    options: CallOptions,
  ): Promise<{ given_back: boolean }> {
    const former = await this.#database.deployments.get(to_deployment_id);
    if (former?.status !== "active") return { given_back: false };
    const to = { deployment_id: to_deployment_id, bento_tag: former.bento_tag };
    return { given_back: await this.#server.handOver(deployment_id, to, options) };
  }

  /** Leaves a server with traffic alone: another operation may have put it to use meanwhile. */
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

function notAdopted(from: string, to: string): ConflictError {
  return new ConflictError(
    `The server of ${from} hangs, is behind or has ended since ${to} was planned, which was to adopt it. Ask again: it is planned anew.`,
    { details: { deployment_id: from } },
  );
}
