import { EndpointCreationError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { CallOptions, ModelPackager, Package, PackageInput } from "../../agents/model_deployer/ports.ts";
import { parseBentoTag } from "../../mlops/bentoml/bento_tag.ts";

interface StoredPackage extends Package {
  preprocessing_path: string | null;
}

/**
 * A store of bentos in memory. It refuses what BentoML's packager refuses: malformed tags, a known tag with another
 * artifact, and the artifacts that a test names as unusable. It looks at no files.
 */
export class InMemoryModelPackager implements ModelPackager {
  /** Tags in the order in which they were really built. */
  readonly built: string[] = [];
  readonly #packages = new Map<string, StoredPackage>();
  readonly #unusable = new Map<string, string>();
  #isDown = false;

  async packageModel(input: PackageInput, { signal }: CallOptions): Promise<Package> {
    const tag = parseBentoTag(input.bento_tag);
    if (this.#isDown || signal.aborted) {
      throw new ServiceUnavailableError("bentoml", `${input.bento_tag} was not packaged`, {
        cause: signal.reason,
      });
    }
    const reason = this.#unusable.get(input.model_path);
    if (reason !== undefined) {
      throw new EndpointCreationError(`${input.bento_tag} cannot be packaged: ${reason}`, {
        details: { reason },
      });
    }
    const present = this.#packages.get(input.bento_tag);
    if (present !== undefined) return accept(present, input);
    const path = `/bentos/${tag.name}/${tag.version}`;
    const { bento_tag, artifact_digest, preprocessing_path } = input;
    this.#packages.set(bento_tag, { bento_tag, path, artifact_digest, preprocessing_path });
    this.built.push(bento_tag);
    return { bento_tag, path, artifact_digest };
  }

  async findPackage(bentoTag: string): Promise<Package | null> {
    const found = this.#packages.get(bentoTag);
    return found === undefined ? null : packageOf(found);
  }

  /** From now on, packaging this artifact fails for that reason. */
  refuse(modelPath: string, reason: string): void {
    this.#unusable.set(modelPath, reason);
  }

  /** Builds do not end any more, until `up()`. */
  down(): void {
    this.#isDown = true;
  }

  up(): void {
    this.#isDown = false;
  }

  /** As if somebody had cleaned the store. */
  lose(bentoTag: string): void {
    this.#packages.delete(bentoTag);
  }
}

function accept(present: StoredPackage, wanted: PackageInput): Package {
  for (const key of ["artifact_digest", "preprocessing_path"] as const) {
    if (present[key] !== wanted[key]) {
      throw new EndpointCreationError(
        `bento ${wanted.bento_tag} exists with ${key} ${String(present[key])}, not ${String(wanted[key])}: package under another version`,
        { details: { bento_tag: wanted.bento_tag, existing: present[key], wanted: wanted[key] } },
      );
    }
  }
  return packageOf(present);
}

function packageOf({ bento_tag, path, artifact_digest }: StoredPackage): Package {
  return { bento_tag, path, artifact_digest };
}
