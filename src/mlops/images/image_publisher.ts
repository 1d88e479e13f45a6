import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createWriteStream } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { EndpointCreationError } from "../../agents/model_deployer/errors.ts";
import type { LongCallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import { type BaseImage, type ImageLabels, imageOf, labelsIn, readBase } from "./image_parts.ts";
import type { EnvironmentLayers } from "./environment_layer.ts";
import { parseRepository } from "./image_reference.ts";
import { digestOfText, writeLayer } from "./layer.ts";
import type { Descriptor, RegistryClient } from "./registry_client.ts";
import type { Repository } from "./registry_transport.ts";

/** A whole bento whose files are those that it was built from. */
export interface PublishedBento {
  bento_tag: string;
  /** Folder with `src/serve.py`. */
  path: string;
  artifact_digest: string;
  requirements: readonly string[];
}

export interface ImagePublisherOptions {
  registry: RegistryClient;
  /** `host/path` that images are pushed to. */
  repository: string;
  /** The image that they are made on, `host/path@sha256:...`. */
  base: string;
  /** Where the image has its parts, and what it runs. */
  paths: { bento: string; environment: string };
  environments: EnvironmentLayers;
  /** @throws EndpointCreationError where there is no such bento, or it was changed */
  bentoOf(bentoTag: string, signal: AbortSignal): Promise<PublishedBento>;
}

/**
 * Makes an image for each bento without Docker: a base by its digest, a layer with the model's packages that models
 * with the same requirements share, and the bento's own of some kilobytes. The same bento gives the same digest.
 */
export class ImagePublisher {
  readonly #options: ImagePublisherOptions;
  readonly #repository: Repository;
  readonly #published = new Map<string, string>();
  #base: Promise<BaseImage> | null = null;

  constructor(options: ImagePublisherOptions) {
    this.#options = options;
    this.#repository = parseRepository(options.repository);
  }

  /**
   * The bento's image by its digest, `host/path@sha256:...`; made and pushed where the registry has none.
   * @throws EndpointCreationError | ServiceRefusedError | ServiceUnavailableError
   */
  async publish(bentoTag: string, options: LongCallOptions): Promise<string> {
    const bento = await this.#options.bentoOf(bentoTag, options.signal);
    const base = await this.#baseImage(options.signal);
    const tag = tagOf(bento, base, this.#options.paths);
    const known = this.#published.get(tag) ?? (await this.#find(bento, tag, options.signal));
    const digest = known ?? (await this.#make(bento, base, tag, options));
    this.#published.set(tag, digest);
    return `${this.#options.repository}@${digest}`;
  }

  /** Whether the registry has the bento's image; makes nothing. */
  async isPublished(bentoTag: string, signal: AbortSignal): Promise<boolean> {
    const bento = await this.#options.bentoOf(bentoTag, signal);
    const tag = tagOf(bento, await this.#baseImage(signal), this.#options.paths);
    return this.#published.has(tag) || (await this.#find(bento, tag, signal)) !== null;
  }

  async #baseImage(signal: AbortSignal): Promise<BaseImage> {
    this.#base ??= readBase(this.#options.registry, this.#options.base, signal);
    try {
      return await this.#base;
    } catch (error) {
      this.#base = null;
      throw error;
    }
  }

  /** The image that was pushed under this tag; null where none was. @throws EndpointCreationError for another's image */
  async #find(bento: PublishedBento, tag: string, signal: AbortSignal): Promise<string | null> {
    const { registry } = this.#options;
    const found = await registry.manifest(this.#repository, tag, signal);
    if (found === null) return null;
    const labels = await labelsIn(registry, this.#repository, found.manifest, signal);
    const isOurs = Object.entries(labelsOf(bento)).every(([name, value]) => labels[name] === value);
    if (isOurs) return found.digest;
    throw new EndpointCreationError(
      `${this.#options.repository}:${tag} is no image of ${bento.bento_tag}: its labels are ${JSON.stringify(labels)}. Delete that tag; it is made anew.`,
    );
  }

  async #make(
    bento: PublishedBento,
    base: BaseImage,
    tag: string,
    options: LongCallOptions,
  ): Promise<string> {
    const { registry, environments, paths } = this.#options;
    const { signal, onProgress } = options;
    const environment = await environments.layerOf(
      bento.requirements,
      base.platform,
      paths.environment.slice(1),
      options,
    );
    const scratch = await mkdtemp(join(tmpdir(), "model-deployer-image-"));
    try {
      const includes = (file: string) => !file.split("/").includes("__pycache__");
      const from = join(bento.path, "src");
      const layer = { from, to: `${paths.bento.slice(1)}/src`, includes };
      const own = await writeLayer(layer, join(scratch, "bento.tar.gz"));
      onProgress?.(`pushing the image of ${bento.bento_tag} to ${this.#options.repository}`);
      for (const part of base.layers) await this.#carry(base.repository, part, scratch, signal);
      await registry.push(this.#repository, environment, signal);
      await registry.push(this.#repository, own, signal);
      const { config, manifest } = imageOf(base, [environment, own], labelsOf(bento), paths);
      await registry.push(this.#repository, { digest: digestOfText(config), text: config }, signal);
      return await registry.putManifest(this.#repository, tag, manifest, signal);
    } finally {
      await rm(scratch, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  /** Brings a layer of the base into the repository, without sending it where the registry has it already. */
  async #carry(from: Repository, layer: Descriptor, scratch: string, signal: AbortSignal): Promise<void> {
    const { registry } = this.#options;
    if (await registry.mount(this.#repository, layer.digest, from, signal)) return;
    const path = join(scratch, layer.digest.replace(":", "-"));
    await registry.download(from, layer.digest, signal, (body) => pipeline(body, createWriteStream(path)));
    await registry.push(this.#repository, { ...layer, path, diff_id: "" }, signal);
  }
}

function labelsOf({ bento_tag, artifact_digest }: PublishedBento): ImageLabels {
  return { "model-deployer.bento-tag": bento_tag, "model-deployer.artifact-digest": artifact_digest };
}

/** Names all that the image is made of, so that whoever makes it elsewhere finds the one that is there. */
function tagOf(bento: PublishedBento, base: BaseImage, paths: ImagePublisherOptions["paths"]): string {
  const { bento_tag, artifact_digest, requirements } = bento;
  const parts = [bento_tag, artifact_digest, [...requirements].sort(), base.digest, paths];
  return `model-${createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 40)}`;
}
