import { expect, test } from "vitest";
import {
  countedBySeverity,
  refusedVulnerabilities,
  SEVERITIES,
  type Severity,
  type Vulnerability,
  vulnerabilityNotes,
} from "../../../src/agents/model_deployer/domain/models/known_vulnerabilities.ts";
import { vulnerabilitiesOf } from "../../../src/cli/commands/settings/vulnerability_options.ts";

const of = (severity: Severity, ...ids: [string, ...string[]]): Vulnerability => ({
  ids,
  package: "numpy",
  version: "1.0",
  score: null,
  severity,
  summary: "",
  fixed: [],
});
const each = SEVERITIES.map((severity) => of(severity, `GHSA-${severity}`, `CVE-${severity}`));

test("a policy refuses from a severity on, the lowest each, and none that was accepted by any of its ids", () => {
  const ids = (refuse_from: Severity, accepted: string[] = []) =>
    refusedVulnerabilities({ refuse_from, accepted }, each).map((one) => one.severity);
  expect(ids("critical")).toEqual(["critical"]);
  expect(ids("medium")).toEqual(["medium", "high", "critical"]);
  expect(ids("unknown")).toEqual([...SEVERITIES]);
  expect(ids("medium", ["CVE-high", "GHSA-critical"])).toEqual(["medium"]);
  expect(countedBySeverity(each)).toBe("1 critical, 1 high, 1 medium, 1 low, 1 unknown");
  expect(countedBySeverity([])).toBe("none");
});

test("what cannot be known of an environment is said as degraded, and a file that nobody brought is not missed", () => {
  expect(vulnerabilityNotes({ known: "unset", why: "x" })).toEqual([]);
  expect(vulnerabilityNotes({ known: "unreadable", why: "osv.zip is no zip" })).toEqual([
    "degraded: known vulnerabilities are not looked at: osv.zip is no zip.",
  ]);
  const report = {
    source: "osv",
    as_of: "2026-11-01",
    entries: 9,
    unread: 2,
    unmatched: ["tool"],
    found: [],
  };
  expect(vulnerabilityNotes({ known: "yes", report })).toEqual([
    "Known vulnerabilities of its packages as of 2026-11-01: none.",
    "degraded: 2 entries of the file could not be read; nothing is known of tool, which name no version.",
  ]);
});

test("options keep what they leave out, and refuse what there is not", () => {
  const before = { refuse_from: "high" as const, accepted: ["GHSA-1"] };
  const set = (refuseVulnerabilities?: string, acceptVulnerabilities?: string[]) =>
    vulnerabilitiesOf(before, { refuseVulnerabilities, acceptVulnerabilities });
  expect(set()).toEqual(before);
  expect(set("any")).toEqual({ refuse_from: "unknown", accepted: ["GHSA-1"] });
  expect(set(undefined, ["CVE-2", "CVE-3"])).toEqual({ refuse_from: "high", accepted: ["CVE-2", "CVE-3"] });
  expect(set(undefined, ["none"])).toEqual({ refuse_from: "high", accepted: [] });
  expect(set("none")).toBeNull();
  expect(() => set("worst")).toThrow(
    /^--refuse-vulnerabilities worst: name none, any, or the least of low, /,
  );
  expect(() => set("low", ["a b"])).toThrow(/^--accept-vulnerabilities a b: name ids/);
  expect(() => vulnerabilitiesOf(null, { acceptVulnerabilities: ["CVE-1"] })).toThrow(/nothing is refused/);
});
