import type { EngineKind } from "../domain/servers/engines.ts";
import type { OtherPython } from "../domain/servers/other_python.ts";
import type { EnvironmentPackages } from "../domain/models/environment_packages.ts";
import type { LongCallOptions } from "./call_options.ts";

export interface PackageInput {
  bento_tag: string;
  model_name: string;
  version: number;
  /** A fetched artifact whose digest was checked. */
  model_path: string;
  preprocessing_path: string | null;
  artifact_digest: string;
}

export interface Package {
  bento_tag: string;
  path: string;
  artifact_digest: string;
  /** Of a found package. */
  other_python?: OtherPython;
}

/** Where a bento is to be served, by which an installation with several engines chooses. */
export interface ServedOn {
  engine?: EngineKind;
}

export interface ModelPackager {
  /** Finds the bento of exactly this tag, or builds it. @throws EndpointCreationError */
  packageModel(input: PackageInput, options: LongCallOptions): Promise<Package>;
  /** Null unless a whole bento of exactly this tag is in the store. */
  findPackage(bentoTag: string): Promise<Package | null>;
  /** Whether a server of this bento could be started without anything being made for it. */
  isServable(bentoTag: string, on?: ServedOn): Promise<boolean>;
  /**
   * Makes the environment for a server of this bento, where it is missing. Idempotent.
   * @throws EndpointCreationError
   */
  prepareServing(bentoTag: string, options: LongCallOptions & ServedOn): Promise<void>;
  /** The packages that its server runs with, as its lock names them; null without such a bento, or without a lock. */
  listPackages(bentoTag: string): Promise<EnvironmentPackages | null>;
}
