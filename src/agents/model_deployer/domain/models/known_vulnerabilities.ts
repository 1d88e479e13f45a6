import { z } from "zod";
import type { NextStep } from "../../../base/next_step.ts";

/** From the least to the worst; `unknown` where an entry rates it by neither CVSS 3 nor 4, nor in words. */
export const SEVERITIES = ["unknown", "low", "medium", "high", "critical"] as const;
export const severitySchema = z.enum(SEVERITIES);
export type Severity = z.infer<typeof severitySchema>;

const vulnerabilityIdSchema = z.string().regex(/^[\w.:-]{1,100}$/, "an id as GHSA-..., PYSEC-... or CVE-...");

export const vulnerabilityPolicySchema = z.strictObject({
  /** Packages with one of this severity, or a worse one, are refused; `unknown` refuses any. */
  refuse_from: severitySchema,
  /** Those that somebody has looked into, by any of their ids. */
  accepted: z.array(vulnerabilityIdSchema).max(500).default([]),
});
export type VulnerabilityPolicy = z.infer<typeof vulnerabilityPolicySchema>;

export const vulnerabilitySchema = z.strictObject({
  /** The same vulnerability's in several databases. */
  ids: z.array(z.string()).min(1),
  package: z.string(),
  version: z.string(),
  /** CVSS's base score, the worst of those that are given; null where there is none. */
  score: z.number().nullable(),
  severity: severitySchema,
  summary: z.string(),
  /** The versions from which on it is mended; empty where there is none. */
  fixed: z.array(z.string()),
});
export type Vulnerability = z.infer<typeof vulnerabilitySchema>;

export const vulnerabilityReportSchema = z.strictObject({
  /** Where the entries lie. */
  source: z.string(),
  /** When the newest entry was modified. */
  as_of: z.string(),
  entries: z.int().min(0),
  /** Files that are no entry that can be read. */
  unread: z.int().min(0),
  /** Packages without a version, of which nothing can be said. */
  unmatched: z.array(z.string()),
  /** The worst first. */
  found: z.array(vulnerabilitySchema),
});
/** The known vulnerabilities of an environment. */
export type VulnerabilityReport = z.infer<typeof vulnerabilityReportSchema>;

export const vulnerabilityFactsSchema = z.discriminatedUnion("known", [
  z.strictObject({ known: z.literal("yes"), report: vulnerabilityReportSchema }),
  z.strictObject({
    /** `unset`: nobody brought a file; `unpackaged`: there is no bento yet; the others cannot be known. */
    known: z.enum(["unset", "unpackaged", "unlocked", "unreadable"]),
    why: z.string(),
  }),
]);
/** Whether an environment's vulnerabilities are known, and which. */
export type VulnerabilityFacts = z.infer<typeof vulnerabilityFactsSchema>;

const SHOWN = 5;
const rank = (severity: Severity): number => SEVERITIES.indexOf(severity);

/** Those that the policy refuses. */
export function refusedVulnerabilities(
  { refuse_from, accepted }: VulnerabilityPolicy,
  found: readonly Vulnerability[],
): Vulnerability[] {
  return found.filter(
    ({ severity, ids }) => rank(severity) >= rank(refuse_from) && !ids.some((id) => accepted.includes(id)),
  );
}

/** Such as `GHSA-... (critical, 9.8) in numpy 1.21.0, mended in 1.22.0`. */
export function vulnerabilityText({
  ids,
  severity,
  score,
  package: name,
  version,
  fixed,
}: Vulnerability): string {
  const rated = score === null ? severity : `${severity}, ${score}`;
  const mended = fixed.length === 0 ? "not mended yet" : `mended in ${fixed.join(", ")}`;
  return `${ids[0] ?? "?"} (${rated}) in ${name} ${version}, ${mended}`;
}

/** As in `2 critical, 1 high`. */
export function countedBySeverity(found: readonly Vulnerability[]): string {
  const counts = SEVERITIES.toReversed().flatMap((severity) => {
    const count = found.filter((one) => one.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}`];
  });
  return counts.length === 0 ? "none" : counts.join(", ");
}

export function someVulnerabilities(found: readonly Vulnerability[]): string {
  const few = found.slice(0, SHOWN).map(vulnerabilityText).join("; ");
  return found.length > SHOWN ? `${few}; and ${found.length - SHOWN} more` : few;
}

export const policyText = ({ refuse_from, accepted }: VulnerabilityPolicy): string =>
  `none ${refuse_from === "unknown" ? "at all" : `from ${refuse_from} on`}${accepted.length === 0 ? "" : `, but for ${accepted.length} accepted`}`;

interface RefusedEnvironment {
  sentence: string;
  observed: string;
  next: NextStep[];
}

/**
 * Null where the policy lets the environment be served. One that is not packaged yet is looked at once it is, before anything
 * is started.
 */
export function refusedEnvironment(
  facts: VulnerabilityFacts,
  { experiment_id, policy }: { experiment_id: string; policy: VulnerabilityPolicy | null },
  where: string,
): RefusedEnvironment | null {
  if (policy === null || facts.known === "unpackaged") return null;
  const asked = `the policy of ${experiment_id} allows ${policyText(policy)}`;
  if (facts.known !== "yes") {
    return {
      sentence: `It is not known which vulnerabilities the packages of ${where} have, and ${asked}: ${facts.why}.`,
      observed: "not known",
      next: [setting(experiment_id, "--refuse-vulnerabilities none", "refuses no known vulnerability")],
    };
  }
  const refused = refusedVulnerabilities(policy, facts.report.found);
  if (refused.length === 0) return null;
  const ids = [...policy.accepted, ...refused.map((one) => one.ids[0] ?? "")].join(" ");
  return {
    sentence: `The packages of ${where} have known vulnerabilities as of ${facts.report.as_of}, and ${asked}: ${someVulnerabilities(refused)}. Log the model with requirements that mend them and register that run, or accept them by name.`,
    observed: countedBySeverity(refused),
    next: [
      setting(
        experiment_id,
        `--accept-vulnerabilities ${ids}`,
        `accepts ${refused.length === 1 ? "it" : "them"} for ${experiment_id}, once somebody has looked into ${refused.length === 1 ? "it" : "each"}`,
      ),
    ],
  };
}

const setting = (experiment: string, flag: string, why: string): NextStep => ({
  action: "set_policy",
  request: null,
  command: `model-deployer policy set ${experiment} ${flag} --reason "..."`,
  who: "person",
  why,
});

/** A sentence for whoever reads a plan; none where nobody brought a file. */
export function vulnerabilityNotes(facts: VulnerabilityFacts): string[] {
  if (facts.known === "unset") return [];
  if (facts.known === "unpackaged") return [`Known vulnerabilities: ${facts.why}.`];
  if (facts.known !== "yes") return [`degraded: known vulnerabilities are not looked at: ${facts.why}.`];
  const { found, as_of, unread, unmatched } = facts.report;
  const left = [
    ...(unread === 0 ? [] : [`${unread} entries of the file could not be read`]),
    ...(unmatched.length === 0 ? [] : [`nothing is known of ${unmatched.join(", ")}, which name no version`]),
  ];
  const which = found.length === 0 ? "" : `: ${someVulnerabilities(found)}`;
  return [
    `Known vulnerabilities of its packages as of ${as_of}: ${countedBySeverity(found)}${which}.`,
    ...(left.length === 0 ? [] : [`degraded: ${left.join("; ")}.`]),
  ];
}
