import { join, resolve } from "node:path";
import type { EnvironmentPackages } from "../../../agents/model_deployer/domain/models/environment_packages.ts";
import { isComplete } from "../../../platform/python/built_environment.ts";
import { licencesIn } from "../../../platform/python/installed_licences.ts";
import { lockedPackages } from "../../../platform/python/requirements/locked_packages.ts";
import { parseBentoTag } from "../bento_tag.ts";
import { lockOf, servedBy } from "./bento_environment.ts";
import { BentoStore } from "./bento_store.ts";

/**
 * The packages that a bento's lock names, with their licences where its environment is made; null where no whole bento of this
 * tag is in the store, or one from before locks. Makes nothing.
 * @throws EndpointCreationError for a malformed tag
 */
export async function packagesOfBento(
  store: Pick<BentoStore, "find">,
  bentoTag: string,
  cacheDirectory: string,
): Promise<EnvironmentPackages | null> {
  const bento = await store.find(parseBentoTag(bentoTag));
  const lock = bento === null ? null : await lockOf(bento);
  if (bento === null || lock === null) return null;
  const served = await servedBy(bento, cacheDirectory);
  const environments = served.environments.map((name) => join(resolve(cacheDirectory), "environments", name));
  const made = await Promise.all(environments.map(async (path) => ((await isComplete(path)) ? [path] : [])));
  const [environment] = made.flat();
  const licences = environment === undefined ? null : await licencesIn(environment);
  return {
    bento_tag: bentoTag,
    python: lock.python.split("-")[0] ?? lock.python,
    packages: lockedPackages(lock).map((one) => ({ ...one, licence: licences?.get(one.name) ?? null })),
    has_licences: licences !== null,
  };
}

/** The same for whoever only looks into a home. */
export const packagesIn = (home: string, cacheDirectory: string) => {
  const store = new BentoStore(home);
  return (bentoTag: string): Promise<EnvironmentPackages | null> =>
    packagesOfBento(store, bentoTag, cacheDirectory);
};
