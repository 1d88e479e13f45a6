import { EndpointCreationError } from "../../agents/model_deployer/errors.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import { labelsIn } from "./image_parts.ts";
import type { RegistryClient } from "./registry_client.ts";

const BENTO_LABEL = "model-deployer.bento-tag";

/** Images that somebody else makes, such as by `bentoml containerize`: found by their tag, checked by their label. */
export class OwnImages {
  readonly #registry: RegistryClient;
  readonly #pattern: string;

  /** @param pattern `registry.example.org/team/{name}:{version}`, with the two parts of a bento's tag */
  constructor(registry: RegistryClient, pattern: string) {
    this.#registry = registry;
    this.#pattern = pattern;
  }

  /**
   * The bento's image by its digest.
   * @throws EndpointCreationError where the registry has none, or its label does not say that it serves this bento
   */
  async publish(bentoTag: string, { signal }: CallOptions): Promise<string> {
    const { host, path, tag, shown } = this.#referenceOf(bentoTag);
    const found = await this.#registry.manifest({ host, path }, tag, signal);
    if (found === null) {
      throw new EndpointCreationError(
        `${shown} is not in its registry: build the image of ${bentoTag} with --label ${BENTO_LABEL}=${bentoTag}, and push it`,
      );
    }
    const said = (await labelsIn(this.#registry, { host, path }, found.manifest, signal))[BENTO_LABEL];
    if (said === bentoTag) return `${host}/${path}@${found.digest}`;
    const has = said === undefined ? `no label ${BENTO_LABEL}` : `the label ${BENTO_LABEL}=${said}`;
    throw new EndpointCreationError(
      `${shown} has ${has}, so nothing says that it serves ${bentoTag}: build it with --label ${BENTO_LABEL}=${bentoTag}`,
    );
  }

  async isPublished(bentoTag: string, signal: AbortSignal): Promise<boolean> {
    const { host, path, tag } = this.#referenceOf(bentoTag);
    return (await this.#registry.manifest({ host, path }, tag, signal)) !== null;
  }

  #referenceOf(bentoTag: string): { host: string; path: string; tag: string; shown: string } {
    const [name = "", version = ""] = bentoTag.split(":");
    const shown = this.#pattern.replaceAll("{name}", name).replaceAll("{version}", version);
    const [, host, path, tag] =
      /^([^/]+)\/([a-z0-9._/-]+):([A-Za-z0-9_][A-Za-z0-9._-]{0,127})$/.exec(shown) ?? [];
    if (host !== undefined && path !== undefined && tag !== undefined) return { host, path, tag, shown };
    throw new EndpointCreationError(
      `MODEL_DEPLOYER_OWN_IMAGES gives ${shown} for ${bentoTag}, which names no image: use {name} and {version} as in registry.example.org/team/{name}:{version}`,
    );
  }
}
