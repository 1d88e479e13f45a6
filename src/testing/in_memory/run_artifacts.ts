import { NotFoundError } from "../../agents/model_deployer/errors.ts";
import type { ArtifactUri } from "../../mlops/mlflow/artifacts/artifact_uri.ts";
import { ArtifactFiles, isWithin } from "./artifact_files.ts";
import { modelIdOf, modelRoot, runRoot, type RunSeed } from "./run_seed.ts";

/** Runs in memory, with the files that they have logged and the models among them. */
export class RunArtifacts {
  readonly files: ArtifactFiles;
  readonly #runs: Map<string, RunSeed>;

  constructor(runs = new Map<string, RunSeed>(), files = new ArtifactFiles()) {
    this.#runs = runs;
    this.files = files;
  }

  add(run: RunSeed): void {
    this.#runs.set(run.run_id, run);
    this.files.store(runRoot(run.run_id), run.artifacts ?? {});
    for (const [name, files] of Object.entries(run.models ?? {})) {
      this.files.store(modelRoot(modelIdOf(run.run_id, name)), files);
    }
  }

  /** The files of a run and of its models; the run itself stays. */
  remove(runId: string): void {
    const names = Object.keys(this.#runs.get(runId)?.models ?? {});
    const roots = [runRoot(runId), ...names.map((name) => modelRoot(modelIdOf(runId, name)))];
    for (const root of roots) this.files.removeUnder(root);
  }

  copy(): RunArtifacts {
    return new RunArtifacts(new Map(this.#runs), this.files.copy());
  }

  /** @throws NotFoundError */
  run(runId: string): RunSeed {
    const run = this.#runs.get(runId);
    if (run === undefined) throw new NotFoundError(`There is no run ${runId}.`);
    return run;
  }

  /** The run whose files, or whose models' files, lie there; null where nobody's do. */
  ownerOf(path: string): string | null {
    for (const { run_id, models } of this.#runs.values()) {
      if (isWithin(path, runRoot(run_id))) return run_id;
      const names = Object.keys(models ?? {});
      if (names.some((name) => isWithin(path, modelRoot(modelIdOf(run_id, name))))) return run_id;
    }
    return null;
  }

  /** The path that a URI leads to, with at least one file at or under it. @throws NotFoundError */
  pathOf(parsed: Exclude<ArtifactUri, { kind: "model_version" }>, uri: string): string {
    const found = this.#candidates(parsed).find((root) => this.files.has(root));
    if (found === undefined) throw new NotFoundError(`There is no artifact behind ${uri}.`);
    return found;
  }

  #candidates(parsed: Exclude<ArtifactUri, { kind: "model_version" }>): string[] {
    switch (parsed.kind) {
      case "stored":
        return [parsed.path];
      case "logged_model":
        return [modelRoot(parsed.model_id)];
      case "run": {
        const [name = "", ...rest] = parsed.path.split("/");
        this.run(parsed.run_id);
        const model = modelRoot(modelIdOf(parsed.run_id, name));
        return [`${runRoot(parsed.run_id)}/${parsed.path}`, [model, ...rest].join("/")];
      }
      default:
        return parsed satisfies never;
    }
  }
}
