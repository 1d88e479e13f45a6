import { AgentError } from "../../../base/agent_error.ts";
import { publishDegraded } from "../../../base/diagnostics.ts";
import type { ModelVersion } from "../../domain/entities.ts";
import type { VulnerabilityFacts } from "../../domain/models/known_vulnerabilities.ts";
import { bentoTag } from "../../domain/values/names.ts";
import type { CallOptions } from "../../ports/call_options.ts";
import type { Parts } from "../../ports/parts.ts";

/** Reads a version's packages and what is known of them; whatever keeps that from being known is said, and ends nothing. */
export async function gatherVulnerabilities(
  { packager, vulnerabilities }: Pick<Parts, "packager" | "vulnerabilities">,
  version: ModelVersion | null,
  options: CallOptions,
): Promise<VulnerabilityFacts> {
  if (vulnerabilities === undefined)
    return { known: "unset", why: "set MODEL_DEPLOYER_VULNERABILITIES to entries in the format of OSV" };
  const tag = version === null ? "" : bentoTag(version);
  const packaged = version === null ? null : await packager.findPackage(tag);
  if (packaged === null)
    return { known: "unpackaged", why: "they are looked at once the version is packaged" };
  try {
    const environment = await packager.listPackages(tag);
    if (environment === null)
      return { known: "unlocked", why: `${tag} was packaged without a lock; register its run anew` };
    return { known: "yes", report: await vulnerabilities.affecting(environment, options) };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    publishDegraded({ part: "known vulnerabilities", message: error.message });
    return { known: "unreadable", why: error.message.replace(/\.$/, "") };
  }
}
