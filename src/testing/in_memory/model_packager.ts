import type { OtherPython } from "../../agents/model_deployer/domain/servers/other_python.ts";
import type { EnvironmentPackages } from "../../agents/model_deployer/domain/models/environment_packages.ts";
import { EndpointCreationError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { LongCallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type {
  ModelPackager,
  Package,
  PackageInput,
} from "../../agents/model_deployer/ports/model_packager_port.ts";
import { parseBentoTag } from "../../mlops/bentoml/bento_tag.ts";

/** The one package that a bento's lock names unless told otherwise. */
const LOCKED: EnvironmentPackages["packages"][number] = {
  name: "bentoml",
  version: "1.4.20",
  address: null,
  sha256: ["0123456789abcdef".repeat(4)],
  licence: null,
};

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
  /** Tags in the order in which their environments were really made. */
  readonly prepared: string[] = [];
  readonly #packages = new Map<string, StoredPackage>();
  readonly #environments = new Set<string>();
  readonly #unusable = new Map<string, string>();
  readonly #otherPythons = new Map<string, OtherPython>();
  readonly #locked = new Map<string, EnvironmentPackages["packages"]>();
  #isDown = false;

  async packageModel(input: PackageInput, { signal }: LongCallOptions): Promise<Package> {
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
    if (found === undefined) return null;
    const other_python = this.#otherPythons.get(bentoTag);
    return { ...packageOf(found), ...(other_python !== undefined && { other_python }) };
  }

  async isServable(bentoTag: string): Promise<boolean> {
    return this.#packages.has(bentoTag) && this.#environments.has(bentoTag);
  }

  async prepareServing(bentoTag: string, { signal, onProgress }: LongCallOptions): Promise<void> {
    if (this.#environments.has(bentoTag)) return;
    if (!this.#packages.has(bentoTag)) {
      throw new EndpointCreationError(`bento ${bentoTag} is not in the store: package the model first`);
    }
    if (this.#isDown || signal.aborted) {
      throw new ServiceUnavailableError("python packages", `the environment of ${bentoTag} was not made`, {
        cause: signal.reason,
      });
    }
    onProgress?.(`the environment of ${bentoTag} is made`);
    this.#environments.add(bentoTag);
    this.prepared.push(bentoTag);
  }

  async listPackages(bentoTag: string): Promise<EnvironmentPackages | null> {
    parseBentoTag(bentoTag);
    if (!this.#packages.has(bentoTag)) return null;
    const packages = this.#locked.get(bentoTag) ?? [LOCKED];
    return {
      bento_tag: bentoTag,
      python: "3.11.7",
      packages,
      has_licences: this.#environments.has(bentoTag),
    };
  }

  /** From now on, this bento's lock names these packages. */
  lock(bentoTag: string, packages: EnvironmentPackages["packages"]): void {
    this.#locked.set(bentoTag, packages);
  }

  /** From now on, packaging this artifact fails for that reason. */
  refuse(modelPath: string, reason: string): void {
    this.#unusable.set(modelPath, reason);
  }

  /** From now on, this bento's model is one that was logged under a Python that is not to be had. */
  loggedElsewhere(bentoTag: string, otherPython: OtherPython): void {
    this.#otherPythons.set(bentoTag, otherPython);
  }

  /** Builds do not end any more, until `up()`. */
  down(): void {
    this.#isDown = true;
  }

  up(): void {
    this.#isDown = false;
  }

  /** Another store with the same bentos and environments. */
  copy(): InMemoryModelPackager {
    const copy = new InMemoryModelPackager();
    for (const [tag, stored] of this.#packages) copy.#packages.set(tag, { ...stored });
    for (const tag of this.#environments) copy.#environments.add(tag);
    for (const [tag, python] of this.#otherPythons) copy.#otherPythons.set(tag, python);
    for (const [tag, packages] of this.#locked) copy.#locked.set(tag, packages);
    for (const [path, reason] of this.#unusable) copy.#unusable.set(path, reason);
    return copy;
  }

  /** As if somebody had cleaned the store. */
  lose(bentoTag: string): void {
    this.#packages.delete(bentoTag);
  }

  /** As if somebody had cleaned the cache of environments. */
  loseEnvironment(bentoTag: string): void {
    this.#environments.delete(bentoTag);
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
