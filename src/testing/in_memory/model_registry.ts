import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Stage } from "../../agents/model_deployer/domain/entities.ts";
import {
  ArtifactRejectedError,
  NotFoundError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import type {
  CallOptions,
  FetchedArtifact,
  ModelRegistry,
  RegisteredVersion,
  ShownVersion,
  StageProjection,
  TrainedRun,
} from "../../agents/model_deployer/ports.ts";
import { digestOfFiles } from "../../mlops/artifact_digest.ts";
import { parseArtifactUri } from "../../mlops/mlflow/artifact_uri.ts";
import { checkModelName, checkRunId, checkVersion } from "../../mlops/mlflow/names.ts";
import { checkProjection } from "../../mlops/mlflow/stage_projection.ts";

/** File contents by path. */
export type Files = Record<string, string>;

export interface RunSeed {
  run_id: string;
  /** `finished` unless told. */
  status?: TrainedRun["status"];
  metrics?: Record<string, number>;
  algorithm?: string | null;
  /** Files in the run's own folder. */
  artifacts?: Files;
  /** Models that the run has logged, by name; they lie beside the run, as in MLflow 3. */
  models?: Record<string, Files>;
}

interface StoredVersion extends RegisteredVersion {
  request_key: string;
  requested_source: string;
  stage: Stage | null;
}

/** The id that a seeded model gets; stable, so that tests can name it. */
export function modelIdOf(runId: string, modelName: string): string {
  return `m-${createHash("sha256").update(`${runId}/${modelName}`).digest("hex").slice(0, 32)}`;
}

/** A model registry in memory. It refuses what MLflow and its adapter refuse; where it can, with the same errors. */
export class InMemoryModelRegistry implements ModelRegistry {
  readonly #directory: string | null;
  readonly #runs = new Map<string, RunSeed>();
  /** By path under the artifact root, laid out as MLflow does. */
  readonly #files = new Map<string, string>();
  readonly #versions = new Map<string, StoredVersion[]>();
  /** `<model>/<alias>` to version. */
  readonly #aliases = new Map<string, number>();

  /** Without a directory a fetched artifact has a digest, but nothing is written where its path points. */
  constructor(options: { directory?: string; runs?: RunSeed[] } = {}) {
    this.#directory = options.directory ?? null;
    for (const run of options.runs ?? []) this.addRun(run);
  }

  addRun(run: RunSeed): void {
    this.#runs.set(run.run_id, run);
    this.#store(runRoot(run.run_id), run.artifacts ?? {});
    for (const [name, files] of Object.entries(run.models ?? {})) {
      this.#store(modelRoot(modelIdOf(run.run_id, name)), files);
    }
  }

  /** What a version shows: its stage, and the aliases that point at it, sorted. */
  projectionOf(modelName: string, version: number): { stage: Stage | null; aliases: string[] } {
    const prefix = `${modelName}/`;
    const aliases = [...this.#aliases].flatMap(([key, target]) =>
      key.startsWith(prefix) && target === version ? [key.slice(prefix.length)] : [],
    );
    return { stage: this.#version(modelName, version).stage, aliases: aliases.sort() };
  }

  async describeRun(runId: string, { signal }: CallOptions): Promise<TrainedRun> {
    checkRunId(runId);
    refuseAborted(signal);
    const run = this.#run(runId);
    const metrics = Object.entries(run.metrics ?? {});
    return {
      run_id: runId,
      status: run.status ?? "finished",
      metrics: Object.fromEntries(metrics.filter(([, value]) => Number.isFinite(value))),
      unusable_metrics: metrics.flatMap(([name, value]) => (Number.isFinite(value) ? [] : [name])).sort(),
      algorithm: run.algorithm ?? null,
    };
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
    if (this.#ownerOf(root) !== this.#run(input.run_id).run_id) {
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

  async fetchArtifact(artifactUri: string, { signal }: CallOptions): Promise<FetchedArtifact> {
    parseArtifactUri(artifactUri);
    refuseAborted(signal);
    const root = this.#locate(artifactUri);
    const base = this.#files.has(root) ? dirname(root) : root;
    const files = this.#under(root).map(([path, text]) => ({ path: path.slice(base.length + 1), text }));
    const digest = digestOfFiles(files.map(({ path, text }) => ({ path, sha256: sha256(text) })));
    const folder = join(this.#directory ?? "/in-memory-artifacts", digest);
    for (const { path, text } of this.#directory === null ? [] : files) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    return { path: folder, digest };
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

  #store(root: string, files: Files): void {
    for (const [path, text] of Object.entries(files)) this.#files.set(`${root}/${path}`, text);
  }

  #run(runId: string): RunSeed {
    const run = this.#runs.get(runId);
    if (run === undefined) throw new NotFoundError(`There is no run ${runId}.`);
    return run;
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
    const candidates: string[] = [];
    if (parsed.kind === "stored") candidates.push(parsed.path);
    if (parsed.kind === "logged_model") candidates.push(modelRoot(parsed.model_id));
    if (parsed.kind === "run") {
      const [name = "", ...rest] = parsed.path.split("/");
      this.#run(parsed.run_id);
      candidates.push(`${runRoot(parsed.run_id)}/${parsed.path}`);
      candidates.push([modelRoot(modelIdOf(parsed.run_id, name)), ...rest].join("/"));
    }
    const found = candidates.find((root) => this.#under(root).length > 0);
    if (found === undefined) throw new NotFoundError(`There is no artifact behind ${uri}.`);
    return found;
  }

  #under(root: string): [string, string][] {
    return [...this.#files].filter(([path]) => path === root || path.startsWith(`${root}/`));
  }

  #ownerOf(path: string): string | null {
    const isInside = (root: string): boolean => path === root || path.startsWith(`${root}/`);
    for (const { run_id, models } of this.#runs.values()) {
      if (isInside(runRoot(run_id))) return run_id;
      const names = Object.keys(models ?? {});
      if (names.some((name) => isInside(modelRoot(modelIdOf(run_id, name))))) return run_id;
    }
    return null;
  }
}

const runRoot = (runId: string): string => `0/${runId}/artifacts`;
const modelRoot = (modelId: string): string => `0/models/${modelId}/artifacts`;
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function refuseAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new ServiceUnavailableError("mlflow", "The call was given up by its caller.", {
    cause: signal.reason,
  });
}

function publicPart({ model_name, version, source, run_id }: StoredVersion): RegisteredVersion {
  return { model_name, version, source, run_id };
}
