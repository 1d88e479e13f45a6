import type { ModelEnvironment } from "../../../platform/python/python_environment.ts";
import type { DirectReferences } from "../../../platform/python/requirements/requirement_lines.ts";
import {
  type BentoEnvironments,
  ensureBentoEnvironment,
  hasBentoEnvironment,
} from "../packaging/bento_environment.ts";
import type { StoredBento } from "../packaging/bento_store.ts";
import type { ServingLimits } from "./serving_limits.ts";

export interface BentoMLServerOptions {
  /** Where the packager keeps its bentos. */
  home: string;
  /** For process records, logs, prediction logs and each server's own BENTOML_HOME. */
  runDirectory: string;
  /** For the environments made from the models' requirements. */
  cacheDirectory: string;
  /** The `uv` program of the tools environment. */
  uv: string;
  /** For making a model's environment, `MODEL_DEPLOYER_ENVIRONMENT_SECONDS`; an hour unless given. */
  environmentSeconds?: number;
  /** From the start of the process until it must be ready; 90 s unless given. Making an environment does not count. */
  startTimeoutMs?: number;
  limits?: ServingLimits;
  /** Whether models may name packages by address; refused unless given. */
  directReferences?: DirectReferences;
  /** Bytes of memory that are free, null where that is not known; as the operating system has it unless given. */
  freeMemory?: () => Promise<number | null>;
  /** The control group below which servers are limited; the root of all unless given. */
  groupParent?: string;
  /** Called when the disk is full while a server that has served before starts; true when there may be room now. */
  makeRoom?: () => boolean;
  /** Receives lines for people about work that takes long. */
  onProgress?: (line: string) => void;
}

/** The environment that a bento is served in, made where it is missing. @throws as `ensureModelEnvironment` */
export function environmentOf(
  bento: StoredBento,
  options: BentoMLServerOptions,
  signal: AbortSignal,
): Promise<ModelEnvironment> {
  const { onProgress } = options;
  return ensureBentoEnvironment(bento, environmentsOf(options), {
    signal,
    ...(onProgress && { onProgress }),
  });
}

/** Whether it is there already; makes nothing. */
export function hasEnvironmentOf(bento: StoredBento, options: BentoMLServerOptions): Promise<boolean> {
  return hasBentoEnvironment(bento, environmentsOf(options));
}

function environmentsOf({
  home,
  cacheDirectory,
  uv,
  environmentSeconds,
  limits,
  directReferences,
}: BentoMLServerOptions): BentoEnvironments {
  return {
    cacheDirectory,
    uv,
    usedBy: home,
    ...(environmentSeconds && { limitSeconds: environmentSeconds }),
    ...(limits?.containment && { containment: limits.containment }),
    ...(directReferences && { directReferences }),
  };
}
