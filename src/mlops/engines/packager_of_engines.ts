import type { EnvironmentPackages } from "../../agents/model_deployer/domain/models/environment_packages.ts";
import type { EngineKind } from "../../agents/model_deployer/domain/servers/engines.ts";
import type { LongCallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type {
  ModelPackager,
  Package,
  PackageInput,
  ServedOn,
} from "../../agents/model_deployer/ports/model_packager_port.ts";
import type { ByEngine } from "./by_engine.ts";

/** One store of bentos, and what each engine makes of a bento before it can be served there. */
export class PackagerOfEngines implements ModelPackager {
  readonly #store: Pick<ModelPackager, "packageModel" | "findPackage" | "listPackages">;
  readonly #packagers: ByEngine<ModelPackager>;

  constructor(
    store: Pick<ModelPackager, "packageModel" | "findPackage" | "listPackages">,
    packagers: ByEngine<ModelPackager>,
  ) {
    this.#store = store;
    this.#packagers = packagers;
  }

  packageModel(input: PackageInput, options: LongCallOptions): Promise<Package> {
    return this.#store.packageModel(input, options);
  }

  findPackage(bentoTag: string): Promise<Package | null> {
    return this.#store.findPackage(bentoTag);
  }

  listPackages(bentoTag: string): Promise<EnvironmentPackages | null> {
    return this.#store.listPackages(bentoTag);
  }

  async isServable(bentoTag: string, { engine }: ServedOn = {}): Promise<boolean> {
    return this.#on(engine, bentoTag).isServable(bentoTag);
  }

  async prepareServing(bentoTag: string, { engine, ...options }: LongCallOptions & ServedOn): Promise<void> {
    return this.#on(engine, bentoTag).prepareServing(bentoTag, options);
  }

  #on(engine: EngineKind | undefined, bentoTag: string): ModelPackager {
    return this.#packagers.on(engine, `${bentoTag} is to be served on`);
  }
}
