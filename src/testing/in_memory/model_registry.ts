import { join } from "node:path";
import {
  type ModelSignature,
  signatureBehind,
} from "../../agents/model_deployer/domain/models/model_signature.ts";
import type { Stage } from "../../agents/model_deployer/domain/entities.ts";
import {
  ArtifactRejectedError,
  NotFoundError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type {
  DescribeRunOptions,
  FetchedArtifact,
  FetchOptions,
  ModelRegistry,
  RegisteredVersion,
  ShownVersion,
  StageProjection,
  TrainedRun,
} from "../../agents/model_deployer/ports/model_registry_port.ts";
import { describedRun, type RunSeed } from "./run_seed.ts";
import { digestOf, writeInto } from "./artifact_files.ts";
import { RunArtifacts } from "./run_artifacts.ts";
import { verifyInMemory } from "./signed_files.ts";
import { parseArtifactUri } from "../../mlops/mlflow/artifacts/artifact_uri.ts";
import { checkModelName, checkRunId, checkVersion } from "../../mlops/mlflow/name_rules.ts";
import { checkProjection } from "../../mlops/mlflow/stage_projection.ts";

interface StoredVersion extends RegisteredVersion {
  request_key: string;
  requested_source: string;
  stage: Stage | null;
}

/** A model registry in memory. It refuses what MLflow and its adapter refuse; where it can, with the same errors. */
export class InMemoryModelRegistry implements ModelRegistry {
  readonly #directory: string | null;
  #artifacts = new RunArtifacts();
  readonly #versions = new Map<string, StoredVersion[]>();
  /** `<model>/<alias>` to version. */
  readonly #aliases = new Map<string, number>();

  /** Without a directory a fetched artifact has a digest, but nothing is written where its path points. */
  constructor(options: { directory?: string; runs?: RunSeed[] } = {}) {
    this.#directory = options.directory ?? null;
    for (const run of options.runs ?? []) this.addRun(run);
  }

  addRun(run: RunSeed): void {
    this.#artifacts.add(run);
  }

  /** The same runs, files and versions, which go their own ways from here on. */
  copy(): InMemoryModelRegistry {
    const copy = new InMemoryModelRegistry();
    copy.#artifacts = this.#artifacts.copy();
    for (const [name, versions] of this.#versions) copy.#versions.set(name, structuredClone(versions));
    for (const [alias, version] of this.#aliases) copy.#aliases.set(alias, version);
    return copy;
  }

  /** As if somebody had deleted the files of a run and of its models. */
  removeArtifacts(runId: string): void {
    this.#artifacts.remove(runId);
  }

  /** A version's shown stage, and the aliases that point at it, sorted. */
  projectionOf(modelName: string, version: number): { stage: Stage | null; aliases: string[] } {
    const prefix = `${modelName}/`;
    const aliases = [...this.#aliases].flatMap(([key, target]) =>
      key.startsWith(prefix) && target === version ? [key.slice(prefix.length)] : [],
    );
    return { stage: this.#version(modelName, version).stage, aliases: aliases.sort() };
  }

  async describeRun(runId: string, { signal, files }: DescribeRunOptions): Promise<TrainedRun> {
    checkRunId(runId);
    refuseAborted(signal);
    const described = describedRun(this.#artifacts.run(runId));
    return { ...described, signature: files === undefined ? null : this.#signatureOfFiles(files) };
  }

  async registerVersion(
    input: { model_name: string; run_id: string; source: string; request_key: string },
    { signal }: CallOptions,
  ): Promise<RegisteredVersion> {
    checkModelName(input.model_name);
    checkRunId(input.run_id);
    parseArtifactUri(input.source);
    refuseAborted(signal);
    const versions = this.#versions.get(input.model_name) ?? [];
    const before = versions.find(({ request_key }) => request_key === input.request_key);
    if (before !== undefined) {
      if (before.run_id === input.run_id && before.requested_source === input.source)
        return publicPart(before);
      throw new ServiceRefusedError("mlflow", `Request key ${input.request_key} belongs to another source.`);
    }
    const root = this.#locate(input.source);
    if (this.#artifacts.ownerOf(root) !== this.#artifacts.run(input.run_id).run_id) {
      throw new ArtifactRejectedError(`${input.source} does not belong to run ${input.run_id}.`);
    }
    const wholeModel = /^0\/models\/(m-\w+)\/artifacts$/.exec(root)?.[1];
    const version: StoredVersion = {
      model_name: input.model_name,
      version: versions.length + 1,
      source:
        input.source.startsWith("runs:") && wholeModel !== undefined ? `models:/${wholeModel}` : input.source,
      run_id: input.run_id,
      request_key: input.request_key,
      requested_source: input.source,
      stage: null,
    };
    this.#versions.set(input.model_name, [...versions, version]);
    return publicPart(version);
  }

  async describeVersion(modelName: string, version: number, { signal }: CallOptions): Promise<ShownVersion> {
    checkModelName(modelName);
    checkVersion(version);
    refuseAborted(signal);
    const shown = publicPart(this.#version(modelName, version));
    return { ...shown, ...this.projectionOf(modelName, version) };
  }

  async fetchArtifact(
    artifactUri: string,
    { signal, onProgress, signers }: FetchOptions,
  ): Promise<FetchedArtifact> {
    parseArtifactUri(artifactUri);
    refuseAborted(signal);
    const root = this.#locate(artifactUri);
    const files = this.#artifacts.files.ofArtifact(root);
    onProgress?.(`the artifact ${artifactUri}: fetching ${files.length} files`);
    const digest = digestOf(files);
    const folder = join(this.#directory ?? "/in-memory-artifacts", digest);
    if (this.#directory !== null) await writeInto(folder, files);
    const texts = Object.fromEntries(files.map(({ path, text }) => [path, text]));
    const signed_by = signers && verifyInMemory(texts, signers, artifactUri);
    return {
      ...(signed_by && { signed_by }),
      path: folder,
      digest,
      signature: this.#artifacts.files.signatureOf(root, artifactUri),
      loading: this.#artifacts.files.loadingOf(root),
    };
  }

  async projectStage(projection: StageProjection, { signal }: CallOptions): Promise<void> {
    checkProjection(projection);
    refuseAborted(signal);
    const { model_name, version } = projection;
    this.#version(model_name, version).stage = projection.stage;
    for (const alias of projection.aliases) this.#aliases.set(`${model_name}/${alias}`, version);
    for (const alias of projection.dropped_aliases) {
      const key = `${model_name}/${alias}`;
      if (this.#aliases.get(key) === version) this.#aliases.delete(key);
    }
  }

  #version(modelName: string, version: number): StoredVersion {
    const found = this.#versions.get(modelName)?.find((stored) => stored.version === version);
    if (found === undefined) throw new NotFoundError(`There is no ${modelName} version ${version}.`);
    return found;
  }

  /** The path that a URI leads to, with at least one file at or under it. */
  #locate(uri: string): string {
    const parsed = parseArtifactUri(uri);
    if (parsed.kind === "model_version") {
      return this.#locate(this.#version(parsed.name, parsed.version).source);
    }
    return this.#artifacts.pathOf(parsed, uri);
  }

  #signatureOfFiles({ model, preprocessing }: NonNullable<DescribeRunOptions["files"]>) {
    const own = this.#signatureAt(model);
    return preprocessing === null ? own : signatureBehind(this.#signatureAt(preprocessing), own);
  }

  #signatureAt(uri: string): ModelSignature | null {
    try {
      return this.#artifacts.files.signatureOf(this.#locate(uri), uri);
    } catch (error) {
      if (error instanceof NotFoundError || error instanceof ArtifactRejectedError) return null;
      throw error;
    }
  }
}

function refuseAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new ServiceUnavailableError("mlflow", "The call was given up by its caller.", {
    cause: signal.reason,
  });
}

function publicPart({ model_name, version, source, run_id }: StoredVersion): RegisteredVersion {
  return { model_name, version, source, run_id };
}
