import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import { isConfiguredPlace, withoutPassword } from "./configured_places.ts";

/** Whether a model may name a package by an address instead of leaving it to the configured indexes. */
export type DirectReferences = "refused" | "allowed";

const NAME = "[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?";
const EXTRAS = `(?:\\s*\\[\\s*(?:${NAME}(?:\\s*,\\s*${NAME})*)?\\s*\\])?`;
const VERSION = "(?:~=|===|==|!=|<=|>=|<|>)\\s*[A-Za-z0-9.*+!_-]+";
const VERSIONS = `(?:${VERSION}(?:\\s*,\\s*${VERSION})*,?)`;
const MARKER = `(?:\\s*;\\s*[A-Za-z0-9_.'"()<>=!~,+*\\s-]+)?`;
const HASHES = "(?:\\s+--hash[= ]sha(?:256|384|512):[0-9a-f]{64,128})*";
/** https://packaging.python.org/en/latest/specifications/dependency-specifiers, without its direct references. */
const OF_AN_INDEX = new RegExp(
  `^${NAME}${EXTRAS}\\s*(?:${VERSIONS}|\\(\\s*${VERSIONS}\\s*\\))?${MARKER}${HASHES}$`,
);
/** As MLflow's `add_libraries_to_model` writes it: a wheel below the artifact's own folder. */
const WHEEL = new RegExp(
  `^(?:\\./)?((?:[A-Za-z0-9_][A-Za-z0-9_.+-]*/)*[A-Za-z0-9_][A-Za-z0-9_.+-]*\\.whl)${HASHES}$`,
);
const REFERENCE = /^(?:[A-Za-z0-9._-]+(?:\[[^\]]*\])?\s*@\s*)?((?:https?|git\+https):\/\/\S+)/;

const PLACE_OPTION = /^(?:--index-url|-i|--extra-index-url|--find-links|-f)(?:\s*=\s*|\s+)(\S+)$/;

const CONSTRAINT = /^(?:-c|--constraint)(?:\s+|\s*=\s*)(.+)$/;

/** The versions that a line allows a package to have if anything needs it, as one line for each; null for any other line. */
export function constraintOf(requirement: string): string | null {
  return CONSTRAINT.exec(requirement)?.[1] ?? null;
}

/** The wheel of the artifact that a requirement names, relative to the artifact's folder; null where it names none. */
export function wheelOf(requirement: string): string | null {
  return WHEEL.exec(requirement)?.[1] ?? null;
}

/**
 * The requirements without comments and blank lines. An index or a folder of wheels that the model names is left out where
 * the configuration has it, for then it is asked anyway, with the configuration's own password.
 * @throws EndpointCreationError that names the first line that is neither a package of an index with versions, a marker
 * and hashes, nor a constraint of one, nor a wheel of the artifact; where they are allowed, `https` and `git+https` references pass as well
 */
export function checkedRequirements(
  lines: readonly string[],
  direct: DirectReferences = "refused",
): string[] {
  const bare = lines.map((line) => line.replace(/(^|\s)#.*$/, "").trim()).filter((line) => line !== "");
  const own = bare.filter((line) => placeIn(line) === null || !isConfiguredPlace(placeIn(line) ?? ""));
  for (const line of own) {
    const problem = problemOf(line, direct);
    if (problem === null) continue;
    throw new EndpointCreationError(
      `the model's requirement ${JSON.stringify(withoutPassword(line).slice(0, 200))} ${problem}`,
      { details: { requirement: withoutPassword(line) } },
    );
  }
  return own;
}

/** The index or the folder of wheels that an installer's option names; null for any other line. */
function placeIn(line: string): string | null {
  return PLACE_OPTION.exec(line)?.[1] ?? null;
}

function problemOf(line: string, direct: DirectReferences): string | null {
  if (placeIn(line) !== null) {
    return "is an installer option that names an index which is not configured here: add it to UV_INDEX (a folder of wheels to UV_FIND_LINKS) if it is to be trusted";
  }
  if (constraintOf(line) !== null && OF_AN_INDEX.test(constraintOf(line) ?? "")) return null;
  if (line.startsWith("-")) {
    return "is an installer option: name packages only. Code of your own is logged with code_paths, or as a wheel in the artifact";
  }
  if (OF_AN_INDEX.test(line) || wheelOf(line) !== null) return null;
  if (!REFERENCE.test(line)) {
    return "is no package of an index and no wheel of the artifact: write name==version, or log the wheel with the model";
  }
  if (direct === "allowed") return null;
  return "names its package by an address, which nobody has looked through: publish it on an index, log its wheel with the model, or set MODEL_DEPLOYER_DIRECT_REFERENCES=allowed";
}

export const bentomlRequirement = "bentoml==1.4.39";

/** The requirements of a model's server, sorted. @throws EndpointCreationError as `checkedRequirements` */
export function modelRequirements(lines: readonly string[], direct?: DirectReferences): string[] {
  return [...new Set([...checkedRequirements(lines, direct), bentomlRequirement])].sort();
}

/** A version such as `2.6.0+cpu` is on no public index by rule, but on one of its maker's. */
export function localVersionHint(requirements: readonly string[]): string {
  const local = requirements.find((one) => /^[^;]*==[^;]*\+/.test(one));
  if (local === undefined) return "";
  return `\n${local} is a build that PyPI does not have: name the index that has it as UV_INDEX (for PyTorch's CPU builds https://download.pytorch.org/whl/cpu), or log the model with the version alone`;
}

/** The first few by name. */
export function packagesText(requirements: readonly string[]): string {
  const shown = requirements.slice(0, 4).join(", ");
  return requirements.length > 4 ? `${shown} and ${requirements.length - 4} more` : shown;
}
