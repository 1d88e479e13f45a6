import { rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { EnvironmentPackages } from "../../../agents/model_deployer/domain/models/environment_packages.ts";
import { EndpointCreationError, ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import type { LongCallOptions } from "../../../agents/model_deployer/ports/call_options.ts";
import type {
  ModelPackager,
  Package,
  PackageInput,
} from "../../../agents/model_deployer/ports/model_packager_port.ts";
import { type FailedProgram, runBounded } from "../../../platform/processes/bounded_program.ts";
import { childEnvironment } from "../../../platform/processes/managed_process.ts";
import { broughtPython } from "../../../platform/python/model_python.ts";
import { textOfLock, LOCK_FILE } from "../../../platform/python/requirements/requirement_lock.ts";
import { lockedRequirements } from "../../../platform/python/requirements/resolved_requirements.ts";
import { withSharedWork } from "../../../platform/work/shared_work.ts";
import { listArtifact, shareArtifact } from "./bento_artifact.ts";
import {
  type BentoEnvironments,
  ensureBentoEnvironment,
  hasBentoEnvironment,
  otherPythonOf,
} from "./bento_environment.ts";
import { BentoStore, type StoredBento } from "./bento_store.ts";
import { packagesOfBento } from "./bento_packages.ts";
import { parseBentoTag, type BentoTag } from "../bento_tag.ts";
import { describeBento, writeContext } from "./build_context.ts";
import { lastErrorLine } from "../log_errors.ts";
import { readServiceSettings, type ServiceSettings } from "../service_settings.ts";

export interface BentoMLPackagerOptions {
  /** Where bentos are kept, in the layout of a BENTOML_HOME; the server reads the same one. */
  home: string;
  /** The `bentoml` program of the tools environment. */
  bentoml: string;
  /** How the models' environments are made; the server uses the same ones. */
  environments: BentoEnvironments;
  /**
   * Limit for one build, `MODEL_DEPLOYER_BUILD_SECONDS`; 600 s unless given. Building copies the artifact and imports
   * the service, not the model.
   */
  buildTimeoutMs?: number;
}

/** Builds bentos with `bentoml build`: the static service of `service_template/`, a settings file and the artifacts. */
export class BentoMLPackager implements ModelPackager {
  readonly #store: BentoStore;
  readonly #bentoml: string;
  readonly #buildTimeoutMs: number;
  readonly #environments: BentoEnvironments;

  constructor(options: BentoMLPackagerOptions) {
    this.#environments = { usedBy: resolve(options.home), ...options.environments };
    this.#store = new BentoStore(options.home);
    this.#bentoml = options.bentoml;
    this.#buildTimeoutMs = options.buildTimeoutMs ?? 600_000;
  }

  async packageModel(input: PackageInput, { signal, onProgress }: LongCallOptions): Promise<Package> {
    const tag = parseBentoTag(input.bento_tag);
    if (signal.aborted) {
      const message = `the deadline passed before ${input.bento_tag} was packaged`;
      throw new ServiceUnavailableError("bentoml", message, { cause: signal.reason });
    }
    const settings = await describeBento(input, this.#environments.directReferences);
    const present = await this.#store.find(tag);
    if (present !== null) return accept(present, settings);
    const shared = {
      directory: join(this.#store.home, "building"),
      name: `${tag.name}-${tag.version}`,
      what: `the bento ${input.bento_tag}`,
      limitSeconds: this.#buildTimeoutMs / 1000,
      setting: "MODEL_DEPLOYER_BUILD_SECONDS",
    };
    return withSharedWork(shared, { signal, ...(onProgress && { onProgress }) }, (tell) => {
      return this.#package(tag, input, settings, { signal, onProgress: tell });
    });
  }

  async #package(
    tag: BentoTag,
    input: PackageInput,
    settings: ServiceSettings,
    { signal, onProgress }: { signal: AbortSignal; onProgress: (line: string) => void },
  ): Promise<Package> {
    const present = await this.#store.find(tag);
    if (present !== null) return accept(present, settings);
    await this.#store.removeAbandonedScratch();
    const scratch = await this.#store.makeScratch();
    try {
      const context = join(scratch, "context");
      await writeContext(context, input, settings);
      onProgress("resolving its packages");
      const { requirements } = settings;
      const { uv } = this.#environments;
      const python = await broughtPython(settings.python ?? null, { uv, signal, onProgress });
      const asked = { ...this.#environments, requirements, python, wheels: context };
      const lock = await lockedRequirements({ ...asked, signal, onProgress });
      await writeFile(join(context, LOCK_FILE), textOfLock(lock));
      onProgress("building it from the artifact");
      const built = await this.#build(tag, scratch, context, signal);
      await verify(built, input, settings);
      await shareArtifact(input.model_path, join(built, "src", "model"));
      if (input.preprocessing_path !== null) {
        await shareArtifact(input.preprocessing_path, join(built, "src", "preprocessing"));
      }
      return accept(await this.#store.install(tag, built), settings);
    } finally {
      await rm(scratch, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  async findPackage(bentoTag: string): Promise<Package | null> {
    let tag: BentoTag;
    try {
      tag = parseBentoTag(bentoTag);
    } catch (error) {
      // A malformed tag names nothing that could be in the store.
      if (error instanceof EndpointCreationError) return null;
      throw error;
    }
    const found = await this.#store.find(tag);
    if (found === null) return null;
    const other_python = await otherPythonOf(found);
    return { ...packageOf(found), ...(other_python !== null && { other_python }) };
  }

  async listPackages(bentoTag: string): Promise<EnvironmentPackages | null> {
    return packagesOfBento(this.#store, bentoTag, this.#environments.cacheDirectory);
  }

  async isServable(bentoTag: string): Promise<boolean> {
    const found = await this.#store.find(parseBentoTag(bentoTag));
    return found !== null && (await hasBentoEnvironment(found, this.#environments));
  }

  async prepareServing(bentoTag: string, { signal, onProgress }: LongCallOptions): Promise<void> {
    const found = await this.#store.find(parseBentoTag(bentoTag));
    if (found === null) {
      throw new EndpointCreationError(`bento ${bentoTag} is not in the store: package the model first`);
    }
    await ensureBentoEnvironment(found, this.#environments, {
      signal,
      ...(onProgress && { onProgress }),
    });
  }

  /** The path of the built bento, inside the scratch home. */
  async #build(tag: BentoTag, scratch: string, context: string, signal: AbortSignal): Promise<string> {
    const home = join(scratch, "home");
    // Named, since BentoML looks by itself in no dotted folder, such as the usual home.
    const file = ["--bentofile", join(context, "bentofile.yaml")];
    const args = ["build", context, ...file, "--name", tag.name, "--version", tag.version, "--output", "tag"];
    const shown = `${tag.name}:${tag.version}`;
    const ended = await runBounded({
      command: this.#bentoml,
      args,
      workingDirectory: scratch,
      env: childEnvironment({
        BENTOML_HOME: home,
        BENTOML_DO_NOT_TRACK: "True",
        // The tag is printed by a library that wraps at the terminal's width.
        COLUMNS: "10000",
        TMPDIR: scratch,
      }),
      limitMs: this.#buildTimeoutMs,
      signal,
    });
    if ("failed" in ended) throw this.#failureOf(shown, ended);
    if (!ended.stdout.split("\n").some((line) => line.trim() === `__tag__:${shown}`)) {
      throw new EndpointCreationError(
        `bentoml build said ${JSON.stringify(ended.stdout.slice(0, 200))} instead of the tag ${shown}`,
      );
    }
    return join(home, "bentos", tag.name, tag.version);
  }

  #failureOf(shown: string, { failed, stdout, stderr, cause }: FailedProgram) {
    if (failed === "late") {
      return new EndpointCreationError(
        `bentoml build of ${shown} was not done within MODEL_DEPLOYER_BUILD_SECONDS=${this.#buildTimeoutMs / 1000}: raise it and ask again`,
        { cause },
      );
    }
    if (failed !== "refused") {
      const why = failed === "cut" ? "was aborted" : "did not end: run it again";
      return new ServiceUnavailableError("bentoml", `bentoml build of ${shown} ${why}`, { cause });
    }
    const reason = reasonOf(`${stdout}\n${stderr}`);
    return new EndpointCreationError(`${shown} cannot be packaged: ${reason}`, {
      cause,
      details: { reason },
    });
  }
}

/** A `.bentoignore` inside an artifact, for one, makes BentoML leave files out. */
async function verify(built: string, input: PackageInput, settings: ServiceSettings): Promise<void> {
  const written = await readServiceSettings(built);
  const folders: [string, string][] = [[input.model_path, "model"]];
  if (input.preprocessing_path !== null) folders.push([input.preprocessing_path, "preprocessing"]);
  for (const [source, folder] of folders) {
    const kept = new Map(
      (await listArtifact(join(built, "src", folder))).map((file) => [file.path, file.size]),
    );
    const lost = (await listArtifact(source)).find((file) => kept.get(file.path) !== file.size);
    if (lost !== undefined) {
      throw new EndpointCreationError(
        `bentoml build left ${lost.path} of the artifact out of ${settings.bento_tag}: rename it or remove the .bentoignore`,
      );
    }
  }
  if (written === null || written.artifact_digest !== settings.artifact_digest) {
    throw new EndpointCreationError(`bentoml build left no whole bento ${settings.bento_tag} behind`);
  }
}

/** @throws EndpointCreationError when the bento of this tag holds something else. */
function accept(bento: StoredBento, wanted: ServiceSettings): Package {
  for (const key of ["artifact_digest", "preprocessing_digest"] as const) {
    const [has, wants] = [bento.settings[key], wanted[key]];
    if (has !== wants) {
      throw new EndpointCreationError(
        `bento ${wanted.bento_tag} exists with ${key} ${String(has)}, not ${String(wants)}: package under another version`,
        { details: { bento_tag: wanted.bento_tag, existing: has, wanted: wants } },
      );
    }
  }
  return packageOf(bento);
}

function packageOf({ path, settings }: StoredBento): Package {
  return { bento_tag: settings.bento_tag, path, artifact_digest: settings.artifact_digest };
}

function reasonOf(output: string): string {
  const line = lastErrorLine(output) ?? output.trim().split("\n").at(-1) ?? "";
  return line === "" ? "bentoml build ended without a reason" : line;
}
