import type { ModelVersion, ServedStage } from "../entities.ts";

/** Lower case, digits and underscores, so that it fits a bento's name, an endpoint's and a file's. */
function slug(text: string): string {
  const cleaned = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "");
  return cleaned.startsWith("e2i_") ? cleaned.slice("e2i_".length) : cleaned;
}

const STAGING_SUFFIX = "_staging";
/** An endpoint's name has at most 63 characters, the prefix, a mark and the suffix of staging included. */
const LONGEST_MARKED_SLUG = 42;

/**
 * 64-bit FNV-1a over UTF-16 code units, its upper half in hex: Fowler, Noll, Vo,
 * http://www.isthe.com/chongo/tech/comp/fnv/. It keeps names apart and is no protection against forgery: an endpoint
 * belongs to one experiment, and a deployment of another one is refused.
 */
function mark(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (let index = 0; index < text.length; index += 1) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(index))) * 0x100000001b3n);
  }
  return (hash >> 32n).toString(16).padStart(8, "0");
}

function e2iName(text: string, isPlain: boolean): string {
  const cleaned = slug(text);
  return isPlain ? `e2i_${cleaned}` : `e2i_${cleaned.slice(0, LONGEST_MARKED_SLUG)}_${mark(text)}`;
}

/**
 * The name of an experiment's model and endpoint: `e2i_<id>`. An id that is no slug, or that would read as another
 * experiment's staging, gets a mark, so that no two experiments share a name.
 */
export function experimentName(experimentId: string): string {
  return e2iName(experimentId, slug(experimentId) === experimentId && !experimentId.endsWith(STAGING_SUFFIX));
}

/** The name that callers of an experiment's model use; staging has one of its own. */
export function endpointName(experimentId: string, stage: ServedStage): string {
  const base = experimentName(experimentId);
  return stage === "staging" ? `${base}${STAGING_SUFFIX}` : base;
}

/** No other endpoint's name ends so: see `experimentName`. */
export const isStagingEndpoint = (name: string): boolean => name.endsWith(STAGING_SUFFIX);

/** `e2i_<slug>:v<int>`. MLflow's version is unique under its model name, and so is the tag: see `experimentName`. */
export function bentoTag({ model_name, version }: Pick<ModelVersion, "model_name" | "version">): string {
  return `${e2iName(model_name, `e2i_${slug(model_name)}` === model_name)}:v${version}`;
}

/** Ids derive from the operation's, so that a retry finds the work of the first attempt. */
export const deploymentId = (operationId: string): string => operationId.replace(/^op_/, "deploy_");
export const modelVersionId = (operationId: string): string => operationId.replace(/^op_/, "mv_");
export const rolloutId = (operationId: string): string => operationId.replace(/^op_/, "rollout_");
