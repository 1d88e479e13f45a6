import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa, ExecaError } from "execa";
import { EndpointCreationError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { CallOptions, ModelPackager, Package, PackageInput } from "../../agents/model_deployer/ports.ts";
import { childEnvironment } from "../../platform/managed_process.ts";
import { digestArtifact, listArtifact, placeArtifact, readRequirements } from "./artifact_folder.ts";
import { BentoStore, type StoredBento } from "./bento_store.ts";
import { parseBentoTag, type BentoTag } from "./bento_tag.ts";
import { lastErrorLine } from "./log_errors.ts";
import { readServiceSettings, type ServiceSettings } from "./service_settings.ts";

export interface BentoMLPackagerOptions {
  /** Where bentos are kept, in the layout of a BENTOML_HOME; the server reads the same one. */
  home: string;
  /** The `bentoml` program of the tools environment. */
  bentoml: string;
  /** For one build, `MODEL_DEPLOYER_BUILD_SECONDS`; 600 s unless given. Building copies the artifact and imports the service, not the model. */
  buildTimeoutMs?: number;
}

const templateDirectory = fileURLToPath(new URL("./service_template/", import.meta.url));

/** Builds bentos with `bentoml build`: the static service of `service_template/`, a settings file and the artifacts. */
export class BentoMLPackager implements ModelPackager {
  readonly #store: BentoStore;
  readonly #bentoml: string;
  readonly #buildTimeoutMs: number;

  constructor(options: BentoMLPackagerOptions) {
    this.#store = new BentoStore(options.home);
    this.#bentoml = options.bentoml;
    this.#buildTimeoutMs = options.buildTimeoutMs ?? 600_000;
  }

  async packageModel(input: PackageInput, { signal }: CallOptions): Promise<Package> {
    const tag = parseBentoTag(input.bento_tag);
    if (signal.aborted) {
      const message = `the deadline passed before ${input.bento_tag} was packaged`;
      throw new ServiceUnavailableError("bentoml", message, { cause: signal.reason });
    }
    const settings = await describe(input);
    const present = await this.#store.find(tag);
    if (present !== null) return accept(present, settings);
    await this.#store.removeAbandonedScratch();
    const scratch = await this.#store.makeScratch();
    try {
      const context = join(scratch, "context");
      await writeContext(context, input, settings);
      const built = await this.#build(tag, scratch, context, signal);
      await verify(built, input, settings);
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
    return found === null ? null : packageOf(found);
  }

  /** The path of the built bento, inside the scratch home. */
  async #build(tag: BentoTag, scratch: string, context: string, signal: AbortSignal): Promise<string> {
    const home = join(scratch, "home");
    const args = ["build", context, "--name", tag.name, "--version", tag.version, "--output", "tag"];
    const shown = `${tag.name}:${tag.version}`;
    const result = await execa(this.#bentoml, args, {
      cwd: scratch,
      env: childEnvironment({
        BENTOML_HOME: home,
        BENTOML_DO_NOT_TRACK: "True",
        // The tag is printed by a library that wraps at the terminal's width.
        COLUMNS: "10000",
        TMPDIR: scratch,
      }),
      extendEnv: false,
      stdin: "ignore",
      timeout: this.#buildTimeoutMs,
      cancelSignal: signal,
      forceKillAfterDelay: 2000,
    }).catch((cause: unknown) => {
      if (cause instanceof ExecaError && cause.timedOut) {
        throw new EndpointCreationError(
          `bentoml build of ${shown} was not done within MODEL_DEPLOYER_BUILD_SECONDS=${this.#buildTimeoutMs / 1000}: raise it and ask again`,
          { cause },
        );
      }
      if (signal.aborted || !(cause instanceof ExecaError) || cause.exitCode === undefined) {
        const why = signal.aborted ? "was aborted" : "did not end: run it again";
        throw new ServiceUnavailableError("bentoml", `bentoml build of ${shown} ${why}`, { cause });
      }
      const output = `${String(cause.stdout)}\n${String(cause.stderr)}`;
      const reason = reasonOf(output);
      throw new EndpointCreationError(`${shown} cannot be packaged: ${reason}`, {
        cause,
        details: { reason },
      });
    });
    if (!result.stdout.split("\n").some((line) => line.trim() === `__tag__:${shown}`)) {
      throw new EndpointCreationError(
        `bentoml build said ${JSON.stringify(result.stdout.slice(0, 200))} instead of the tag ${shown}`,
      );
    }
    return join(home, "bentos", tag.name, tag.version);
  }
}

async function describe(input: PackageInput): Promise<ServiceSettings> {
  const files = await listArtifact(input.model_path);
  if (!files.some((file) => file.path === "MLmodel")) {
    throw new EndpointCreationError(
      `${input.model_path} has no MLmodel file: the artifact must be a model saved by MLflow`,
    );
  }
  const requirements = new Set(await readRequirements(input.model_path));
  const preprocessing = input.preprocessing_path;
  if (preprocessing !== null) {
    const isDescribed = (await listArtifact(preprocessing)).some((file) => file.path === "requirements.txt");
    if (isDescribed) for (const line of await readRequirements(preprocessing)) requirements.add(line);
  }
  return {
    bento_tag: input.bento_tag,
    model_name: input.model_name,
    model_version: String(input.version),
    artifact_digest: input.artifact_digest,
    preprocessing_digest: preprocessing === null ? null : await digestArtifact(preprocessing),
    requirements: [...requirements],
  };
}

async function writeContext(context: string, input: PackageInput, settings: ServiceSettings): Promise<void> {
  await mkdir(dirname(context), { recursive: true });
  const isSource = (path: string) => !path.includes("__pycache__");
  await cp(templateDirectory, context, { recursive: true, filter: isSource });
  await placeArtifact(input.model_path, join(context, "model"));
  if (input.preprocessing_path !== null) {
    await placeArtifact(input.preprocessing_path, join(context, "preprocessing"));
  }
  await writeFile(join(context, "requirements.txt"), `${settings.requirements.join("\n")}\n`);
  await writeFile(join(context, "service.json"), `${JSON.stringify(settings, null, 2)}\n`);
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
