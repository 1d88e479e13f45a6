import type { ModelVersion } from "../../src/agents/model_deployer/domain/entities.ts";
import { bentoTag } from "../../src/agents/model_deployer/domain/values/names.ts";
import { NotFoundError } from "../../src/agents/model_deployer/errors.ts";
import type {
  ModelPackager,
  Package,
  PackageInput,
} from "../../src/agents/model_deployer/ports/model_packager_port.ts";

/** The versions' bentos are built and their environments made, as they are of whatever has served before. */
export class BuiltBentos implements ModelPackager {
  readonly #packages: ReadonlyMap<string, Package>;

  constructor(versions: readonly ModelVersion[]) {
    this.#packages = new Map(
      versions.map((version) => {
        const bento_tag = bentoTag(version);
        return [bento_tag, { bento_tag, path: "", artifact_digest: version.artifact_digest }];
      }),
    );
  }

  async packageModel({ bento_tag }: PackageInput): Promise<Package> {
    const found = await this.findPackage(bento_tag);
    if (found === null) throw new NotFoundError(`There is no bento ${bento_tag} in the bench.`);
    return found;
  }

  async findPackage(bentoTagOf: string): Promise<Package | null> {
    return this.#packages.get(bentoTagOf) ?? null;
  }

  async isServable(bentoTagOf: string): Promise<boolean> {
    return this.#packages.has(bentoTagOf);
  }

  async listPackages(): Promise<null> {
    return null;
  }

  async prepareServing(): Promise<void> {
    // Nothing is missing.
  }
}
