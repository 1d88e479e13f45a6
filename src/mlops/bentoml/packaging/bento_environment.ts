import { join } from "node:path";
import type { OtherPython } from "../../../agents/model_deployer/domain/servers/other_python.ts";
import {
  ensureModelEnvironment,
  hasModelEnvironment,
  type ModelEnvironment,
  modelEnvironmentNames,
  type ModelEnvironmentOptions,
} from "../../../platform/python/python_environment.ts";
import { broughtPython, isOfMinor, modelPython } from "../../../platform/python/model_python.ts";
import { wheelsOf } from "../../../platform/python/wheels/kept_wheels.ts";
import { minorOf, type PythonInterpreter } from "../../../platform/python/python_interpreter.ts";
import { lockIn, type RequirementLock } from "../../../platform/python/requirements/requirement_lock.ts";
import type { StoredBento } from "./bento_store.ts";

/** How environments of bentos are made. */
export type BentoEnvironments = Pick<
  ModelEnvironmentOptions,
  "cacheDirectory" | "uv" | "limitSeconds" | "containment" | "directReferences" | "usedBy"
>;

/**
 * The environment that a bento is served in, made where it is missing: what its lock names. A bento from before locks, or
 * from another minor version of Python than is to be had, is resolved anew. @throws as `ensureModelEnvironment`
 */
export async function ensureBentoEnvironment(
  bento: StoredBento,
  environments: BentoEnvironments,
  more: { signal: AbortSignal; onProgress?: (line: string) => void },
): Promise<ModelEnvironment> {
  const lock = await lockOf(bento);
  const options = await optionsFor(bento, lock, environments);
  const wanted = wantedPython(bento, lock);
  if (wanted === null || isOfMinor(options.python, wanted) || (await hasModelEnvironment(options))) {
    return ensureModelEnvironment({ ...options, ...more });
  }
  const python = await broughtPython(wanted, { uv: environments.uv, ...more });
  return ensureModelEnvironment({ ...(await optionsFor(bento, lock, environments, python)), ...more });
}

/** Whether it is there already; makes nothing. */
export async function hasBentoEnvironment(
  bento: StoredBento,
  environments: BentoEnvironments,
): Promise<boolean> {
  return hasModelEnvironment(await optionsFor(bento, await lockOf(bento), environments));
}

/** The environments that serve a bento, by name below any cache. */
export interface ServedBy {
  environments: string[];
  /** Those that its environment is made of again; null for a bento from before locks. */
  wheels: string | null;
}

export async function servedBy(bento: StoredBento, cacheDirectory: string): Promise<ServedBy> {
  const lock = await lockOf(bento);
  const options = await optionsFor(bento, lock, { cacheDirectory, uv: "" });
  return {
    environments: await modelEnvironmentNames(options),
    wheels: lock === null ? null : wheelsOf(lock),
  };
}

/** Null for a bento from before locks. */
export const lockOf = ({ path }: Pick<StoredBento, "path">): Promise<RequirementLock | null> =>
  lockIn(join(path, "src"));

async function optionsFor(
  bento: StoredBento,
  lock: RequirementLock | null,
  environments: BentoEnvironments,
  brought?: PythonInterpreter,
): Promise<ModelEnvironmentOptions & { python: PythonInterpreter }> {
  const { path, settings } = bento;
  const wheels = join(path, "src");
  const python = brought ?? (await modelPython(wantedPython(bento, lock)));
  const isUsable = lock !== null && isFor(lock, python);
  return { ...environments, requirements: settings.requirements, python, wheels, ...(isUsable && { lock }) };
}

/** The Python that the bento was locked for, else the one that its model was logged under. */
function wantedPython({ settings }: StoredBento, lock: RequirementLock | null): string | null {
  return lock === null ? (settings.python ?? null) : releaseOf(lock.python);
}

/** Whether both are builds of one minor version, which share their packages. */
function isFor(lock: RequirementLock, python: PythonInterpreter): boolean {
  const kindOf = (version: string) => [minorOf(version), ...version.split("-").slice(1)].join("-");
  return kindOf(lock.python) === kindOf(python.version);
}

const releaseOf = (version: string): string => version.split("-")[0] ?? version;

/** The Python that a bento's model was logged under, and the one that serves it, where their minor versions differ. */
export async function otherPythonOf(bento: StoredBento): Promise<OtherPython | null> {
  const logged_under = bento.settings.python ?? null;
  if (logged_under === null) return null;
  const python = await modelPython(wantedPython(bento, await lockOf(bento)));
  return isOfMinor(python, logged_under) ? null : { logged_under, served_with: releaseOf(python.version) };
}
