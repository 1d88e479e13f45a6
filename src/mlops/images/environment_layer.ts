import { createHash } from "node:crypto";
import { access, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { EndpointCreationError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { LongCallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import { lastWords, runBounded } from "../../platform/processes/bounded_program.ts";
import { parsedJson } from "../../platform/parsed_json.ts";
import { constraintOf } from "../../platform/python/requirements/requirement_lines.ts";
import { installEnvironment } from "../../platform/python/requirements/index_settings.ts";
import { withSharedWork } from "../../platform/work/shared_work.ts";
import { type Layer, writeLayer } from "./layer.ts";

/** The machine and Python that an image's packages have to fit. */
export interface ImagePlatform {
  /** As images name it: `amd64`, `arm64`. */
  architecture: string;
  /** `3.13`. */
  python: string;
}

/** Installs packages into a folder. @throws EndpointCreationError where they can't be had */
export type InstallPackages = (
  folder: string,
  requirements: readonly string[],
  platform: ImagePlatform,
  signal: AbortSignal,
) => Promise<void>;

export interface EnvironmentLayersOptions {
  /** Layers lie in its `images` folder, each named by the hash of its requirements and platform. */
  cacheDirectory: string;
  /** For making one, `MODEL_DEPLOYER_ENVIRONMENT_SECONDS`. */
  limitSeconds: number;
  install: InstallPackages;
}

const layerSchema = z.strictObject({ digest: z.string(), diff_id: z.string(), size: z.int() });

/** Layers with the packages of models; models with the same requirements share one. */
export class EnvironmentLayers {
  readonly #options: EnvironmentLayersOptions;

  constructor(options: EnvironmentLayersOptions) {
    this.#options = options;
  }

  /** @throws EndpointCreationError | ServiceUnavailableError */
  async layerOf(
    requirements: readonly string[],
    platform: ImagePlatform,
    to: string,
    { signal, onProgress }: LongCallOptions,
  ): Promise<Layer> {
    const { cacheDirectory, limitSeconds } = this.#options;
    const content = JSON.stringify([[...requirements].sort(), platform, to]);
    const name = `environment-${createHash("sha256").update(content).digest("hex").slice(0, 20)}`;
    const directory = join(cacheDirectory, "images");
    const path = join(directory, `${name}.tar.gz`);
    const present = await this.#present(path);
    if (present !== null) return present;
    const what = `the image layer for ${requirements.length} requirements`;
    const setting = "MODEL_DEPLOYER_ENVIRONMENT_SECONDS";
    const shared = { directory, name, what, limitSeconds, setting };
    return withSharedWork(shared, { signal, ...(onProgress && { onProgress }) }, async (tell) => {
      tell("installing the packages");
      return (await this.#present(path)) ?? this.#make({ requirements, platform, to, path }, signal);
    });
  }

  async #present(path: string): Promise<Layer | null> {
    const text = await readFile(`${path}.json`, "utf8").catch(() => "");
    const kept = layerSchema.safeParse(parsedJson(text));
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    return kept.success && isThere ? { path, ...kept.data } : null;
  }

  async #make(
    made: { requirements: readonly string[]; platform: ImagePlatform; to: string; path: string },
    signal: AbortSignal,
  ): Promise<Layer> {
    const folder = await mkdtemp(join(tmpdir(), "model-deployer-packages-"));
    try {
      await this.#options.install(folder, made.requirements, made.platform, signal);
      await forgetPrograms(folder);
      const includes = (file: string) => !file.startsWith("bin/") && !file.includes("__pycache__/");
      const layer = await writeLayer({ from: folder, to: made.to, includes }, made.path);
      const { digest, diff_id, size } = layer;
      const scratch = `${made.path}.json.${process.pid}`;
      await writeFile(scratch, JSON.stringify({ digest, diff_id, size }));
      await rename(scratch, `${made.path}.json`);
      return layer;
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  }
}

/** Packages' programs name the Python of this machine, and the lists of their files name the programs by their hash. */
async function forgetPrograms(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".dist-info"));
  for (const name of names) {
    const path = join(folder, name, "RECORD");
    const text = await readFile(path, "utf8").catch(() => null);
    if (text === null) continue;
    const lines = text.split("\n").filter((line) => !/^(\.\.\/)*bin\//.test(line));
    await writeFile(path, lines.join("\n"));
  }
}

/** Wheels only: nothing is compiled for a machine that is not this one. */
export function installByUv(uv: string, limitSeconds: number): InstallPackages {
  return async (folder, requirements, { architecture, python }, signal) => {
    const machine = architecture === "arm64" ? "aarch64" : "x86_64";
    const target = ["--target", folder, "--python-version", python];
    const platform = ["--python-platform", `${machine}-manylinux_2_28`, "--only-binary", ":all:"];
    const named = requirements.filter((line) => constraintOf(line) === null);
    const limits = requirements.map(constraintOf).filter((line) => line !== null);
    const constraints = `${folder}.constraints`;
    const within = limits.length === 0 ? [] : ["--constraint", constraints];
    if (limits.length > 0) await writeFile(constraints, `${limits.join("\n")}\n`);
    const ended = await runBounded({
      command: uv,
      args: ["pip", "install", "--no-config", ...target, ...platform, ...within, "--", ...named],
      env: installEnvironment(),
      limitMs: limitSeconds * 1000,
      signal,
    }).finally(() => rm(constraints, { force: true }));
    if (!("failed" in ended)) return;
    const { failed, stderr, cause } = ended;
    if (failed === "cut" || failed === "late") {
      const why = failed === "cut" ? "was ended by its caller" : "did not end in time; ask again";
      throw new ServiceUnavailableError("python packages", `installing an image's packages ${why}`, {
        cause,
      });
    }
    throw new EndpointCreationError(
      `the model's requirements cannot be installed for Python ${python} on ${architecture}: ${lastWords(stderr)}`,
      { cause, details: { requirements } },
    );
  };
}
