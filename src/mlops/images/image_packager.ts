import type { EnvironmentPackages } from "../../agents/model_deployer/domain/models/environment_packages.ts";
import type { LongCallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type {
  ModelPackager,
  Package,
  PackageInput,
} from "../../agents/model_deployer/ports/model_packager_port.ts";

/** Where images of bentos come from. */
export interface BentoImages {
  /** The image by its digest. @throws EndpointCreationError */
  publish(bentoTag: string, options: LongCallOptions): Promise<string>;
  /** Whether it is there already; makes nothing. */
  isPublished(bentoTag: string, signal: AbortSignal): Promise<boolean>;
}

/** How long a question to the registry may take where nobody set a limit. */
const LOOK_MS = 20_000;

/** Packages by another packager; ready to be served is what has its image in the registry. */
export class ImagePackager implements ModelPackager {
  readonly #packages: Pick<ModelPackager, "packageModel" | "findPackage" | "listPackages">;
  readonly #images: BentoImages;

  constructor(
    packages: Pick<ModelPackager, "packageModel" | "findPackage" | "listPackages">,
    images: BentoImages,
  ) {
    this.#packages = packages;
    this.#images = images;
  }

  packageModel(input: PackageInput, options: LongCallOptions): Promise<Package> {
    return this.#packages.packageModel(input, options);
  }

  findPackage(bentoTag: string): Promise<Package | null> {
    return this.#packages.findPackage(bentoTag);
  }

  listPackages(bentoTag: string): Promise<EnvironmentPackages | null> {
    return this.#packages.listPackages(bentoTag);
  }

  async isServable(bentoTag: string): Promise<boolean> {
    if ((await this.findPackage(bentoTag)) === null) return false;
    return this.#images.isPublished(bentoTag, AbortSignal.timeout(LOOK_MS));
  }

  async prepareServing(bentoTag: string, options: LongCallOptions): Promise<void> {
    await this.#images.publish(bentoTag, options);
  }
}
