import { expect, test } from "vitest";
import type { NewGatePolicy } from "../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import type { EnvironmentPackages } from "../../../src/agents/model_deployer/domain/models/environment_packages.ts";
import type {
  Vulnerability,
  VulnerabilityReport,
} from "../../../src/agents/model_deployer/domain/models/known_vulnerabilities.ts";
import { ConfigurationError } from "../../../src/agents/model_deployer/errors.ts";
import { decisionTable } from "../../../src/agents/model_deployer/planning/approval/decision_table.ts";
import type { KnownVulnerabilities } from "../../../src/agents/model_deployer/ports/vulnerability_port.ts";
import {
  act,
  createTestDeployer,
  deploy,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  inProduction,
  promote,
  promoteWithApproval,
  questionOf,
  readyForProduction,
  register,
  type TestDeployer,
} from "../../../src/testing/index.ts";

const BAD: Vulnerability = {
  ids: ["GHSA-aaaa", "CVE-2026-1"],
  package: "bentoml",
  version: "1.4.20",
  score: 9.8,
  severity: "critical",
  summary: "it runs what it is sent",
  fixed: ["1.4.21"],
};
const MILD: Vulnerability = { ...BAD, ids: ["GHSA-bbbb"], score: 5.3, severity: "medium", fixed: [] };

/** Entries that affect each package of these names, until they cannot be read. */
class Entries implements KnownVulnerabilities {
  found: Vulnerability[];
  problem: string | null = null;

  constructor(found: Vulnerability[]) {
    this.found = found;
  }

  async affecting({ packages }: EnvironmentPackages): Promise<VulnerabilityReport> {
    if (this.problem !== null) throw new ConfigurationError(this.problem);
    const found = this.found.filter((one) => packages.some(({ name }) => name === one.package));
    return { source: "osv.zip", as_of: "2026-11-01T00:00:00Z", entries: 2, unread: 0, unmatched: [], found };
  }
}

async function given(entries: Entries | null): Promise<TestDeployer> {
  return createTestDeployer(entries === null ? {} : { parts: { vulnerabilities: entries } });
}

async function refuse(
  { database }: TestDeployer,
  vulnerabilities: NonNullable<NewGatePolicy["vulnerabilities"]> | null,
): Promise<void> {
  const { policy_id: _, ...policy } = await database.experiments.getGatePolicy(EXPERIMENT);
  const reason = "nothing critical";
  await database.experiments.setGatePolicy(EXPERIMENT, { ...policy, vulnerabilities, reason }, "ana");
}

async function staged(deployer: TestDeployer, run = "run1"): Promise<string> {
  const version = await register(deployer, run);
  await promote(deployer, version, "staging");
  return version;
}

test("a version whose packages have a refused vulnerability is packaged, and no server of it is started", async () => {
  const deployer = await given(new Entries([MILD, BAD]));
  await refuse(deployer, { refuse_from: "high" });
  const version = await staged(deployer);
  const refused = await errorOf(deploy(deployer, version, "staging"));
  expect(refused).toMatchObject({ code: "artifact_rejected", retryable: false });
  expect(refused.message).toContain("GHSA-aaaa (critical, 9.8) in bentoml 1.4.20, mended in 1.4.21");
  expect(refused.message).toContain("as of 2026-11-01");
  expect(refused.message).not.toContain("GHSA-bbbb");
  expect(refused.next[0]?.command).toContain(`policy set ${EXPERIMENT} --accept-vulnerabilities GHSA-aaaa`);
  expect(deployer.server.started).toEqual([]);

  await refuse(deployer, { refuse_from: "high", accepted: ["CVE-2026-1"] });
  expect(await deploy(deployer, version, "staging", { request_id: "a" })).toMatchObject({ status: "active" });
  await refuse(deployer, { refuse_from: "unknown", accepted: ["CVE-2026-1"] });
  const mild = await errorOf(deploy(deployer, version, "staging", { request_id: "b" }));
  expect(mild.message).toContain("GHSA-bbbb (medium, 5.3) in bentoml 1.4.20, not mended yet");
});

test("where no policy refuses any, the plan says what is known and the deployment goes on", async () => {
  const deployer = await given(new Entries([BAD]));
  const version = await staged(deployer);
  await deploy(deployer, version, "staging");
  const planned = await act(deployer, "deploy", {
    model_version_id: version,
    target_stage: "staging",
    request_id: "again",
  });
  expect(planned.warnings?.join(" ") ?? "").not.toContain("degraded");
  expect(planned.deployment_plan?.notes.join(" ")).toContain(
    "Known vulnerabilities of its packages as of 2026-11-01T00:00:00Z: 1 critical: GHSA-aaaa",
  );
});

test("entries that cannot be read refuse what begins to serve where a policy rests on them, and are named where none does", async () => {
  const entries = new Entries([]);
  const deployer = await given(entries);
  const version = await staged(deployer);
  await deploy(deployer, version, "staging");
  entries.problem = "MODEL_DEPLOYER_VULNERABILITIES=osv.zip cannot be read: it is no zip.";
  const noted = await act(deployer, "deploy", {
    model_version_id: version,
    target_stage: "staging",
    request_id: "noted",
  });
  expect(noted.deployment_plan?.notes.join(" ")).toContain(
    "degraded: known vulnerabilities are not looked at",
  );
  await refuse(deployer, { refuse_from: "critical" });
  const refused = await errorOf(deploy(deployer, version, "staging", { request_id: "refused" }));
  expect(refused).toMatchObject({ code: "artifact_rejected" });
  expect(refused.message).toContain("osv.zip cannot be read: it is no zip");
});

test("a policy without a file refuses, and says which setting names one", async () => {
  const deployer = await given(null);
  await refuse(deployer, { refuse_from: "critical" });
  const refused = await errorOf(deploy(deployer, await staged(deployer), "staging"));
  expect(refused).toMatchObject({ code: "artifact_rejected" });
  expect(refused.message).toContain("MODEL_DEPLOYER_VULNERABILITIES");
  expect(refused.next[0]?.command).toContain("--refuse-vulnerabilities none");
});

test("what became known during a shadow's day keeps the version from production, and whoever approves reads the rest", async () => {
  const entries = new Entries([MILD]);
  const deployer = await given(entries);
  await refuse(deployer, { refuse_from: "high" });
  const version = await readyForProduction(deployer, "run1");
  const asked = {
    model_version_id: version,
    target_stage: "production" as const,
    promotion_reason: "better",
  };
  const { evidence } = questionOf(await act(deployer, "promote", asked));
  const rows = decisionTable({ evidence, on_success: [] }).filter(({ group }) => group === "vulnerabilities");
  expect(rows.map(({ what, required, candidate, met }) => [what, required, candidate, met])).toEqual([
    ["known in its packages as of 2026-11-01T00:00:00Z", "none from high on", "1 medium", true],
    [MILD.summary, null, "GHSA-bbbb (medium, 5.3) in bentoml 1.4.20, not mended yet", true],
  ]);
  entries.found = [MILD, BAD];
  const refused = await errorOf(promoteWithApproval(deployer, version));
  expect(refused).toMatchObject({ code: "production_criteria_not_met", retryable: false });
  expect(refused.details["unmet"]).toEqual([
    expect.objectContaining({
      criterion: "vulnerabilities",
      required: "none from high on",
      observed: "1 critical",
    }),
  ]);
});

test("what serves when a vulnerability becomes known goes on, is restarted and repaired, and comes back by a rollback", async () => {
  const entries = new Entries([]);
  const deployer = await given(entries);
  await refuse(deployer, { refuse_from: "high", accepted: [] });
  const { deployment } = await inProduction(deployer, "run1");
  const next = await readyForProduction(deployer, "run2");
  await promoteWithApproval(deployer, next);
  const rollout = {
    steps: [
      { weight: 10, bake_seconds: 60 },
      { weight: 100, bake_seconds: 0 },
    ],
  };
  await deploy(deployer, next, "production", { rollout });
  entries.found = [BAD];
  await act(deployer, "rollback", { endpoint_name: ENDPOINT, rollback_reason: "callers get nonsense" });
  await act(deployer, "restart", { deployment_id: deployment, restart_reason: "it was slow" });
  deployer.server.crash(deployment);
  await deployer.capabilities.reconciler.reconcile({ signal: new AbortController().signal });
  expect((await deployer.database.endpoints.get(ENDPOINT))?.weights).toEqual({ [deployment]: 100 });
  expect(
    await deployer.capabilities.reconciler.reconcile({ signal: new AbortController().signal }),
  ).toMatchObject({
    findings: [],
  });
});
