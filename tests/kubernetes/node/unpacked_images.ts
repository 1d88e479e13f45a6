import { createWriteStream, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { execa } from "execa";
import { z } from "zod";
import { parseReference } from "../../../src/mlops/images/image_reference.ts";
import { RegistryClient } from "../../../src/mlops/images/registry_client.ts";
import { parsedJson } from "../../../src/platform/parsed_json.ts";

const configSchema = z.object({
  config: z.object({ Env: z.array(z.string()).default([]) }).default({ Env: [] }),
});

export interface UnpackedImage {
  /** Folders of its layers, the uppermost first. */
  layers: string[];
  environment: string[];
}

/** Pulls images by their digest and unpacks their layers, each once. */
export class UnpackedImages {
  readonly #folder: string;
  readonly #registry = new RegistryClient(() => Promise.resolve(null));
  readonly #pulled = new Map<string, Promise<UnpackedImage>>();

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  pull(reference: string, signal: AbortSignal): Promise<UnpackedImage> {
    const known = this.#pulled.get(reference);
    if (known !== undefined) return known;
    const pulled = this.#pull(reference, signal);
    this.#pulled.set(reference, pulled);
    pulled.catch(() => this.#pulled.delete(reference));
    return pulled;
  }

  async #pull(reference: string, signal: AbortSignal): Promise<UnpackedImage> {
    const { repository, digest } = parseReference(reference);
    const found = await this.#registry.manifest(repository, digest, signal);
    const { config, layers = [] } = found?.manifest ?? {};
    if (config === undefined) throw new TypeError(`${reference} is no image`);
    const text = await this.#registry.text(repository, config.digest, signal);
    const folders: string[] = [];
    for (const layer of layers) {
      const folder = join(this.#folder, layer.digest.replace(":", "-"));
      if (!existsSync(folder)) await this.#unpack(repository, layer.digest, folder, signal);
      folders.unshift(folder);
    }
    return { layers: folders, environment: configSchema.parse(parsedJson(text)).config.Env };
  }

  async #unpack(
    repository: ReturnType<typeof parseReference>["repository"],
    digest: string,
    folder: string,
    signal: AbortSignal,
  ): Promise<void> {
    const archive = `${folder}.tar.gz`;
    await this.#registry.download(repository, digest, signal, (body) =>
      pipeline(body, createWriteStream(archive)),
    );
    const scratch = `${folder}.unpacking`;
    mkdirSync(scratch, { recursive: true });
    await execa("tar", ["-xzf", archive, "-C", scratch, "--no-same-owner"]);
    rmSync(archive);
    renameSync(scratch, folder);
  }
}
