import { expect, test } from "vitest";
import { z } from "zod";
import {
  applyReportSchema,
  resumptionReportSchema,
  statusReportSchema,
} from "../../../src/service/report_schemas.ts";
import { historyReportSchema } from "../../../src/service/status/history_schemas.ts";
import { cli, jsonErrorOf, jsonOf } from "../../support/given/given_cli.ts";
import {
  APPROVER_TOKEN,
  deploy,
  ENDPOINT,
  givenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promoteWithApproval,
  register,
} from "../../support/given/given_deployer.ts";

const rollout = { steps: [10, 50, 100].map((weight) => ({ weight, bake_seconds: 60 })) };

/** Version 2 has its first 10 % over version 1. */
async function givenRollout() {
  const given = await givenDeployer();
  const { deployment: old } = await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const { deployment_id: candidate } = await deploy(given, version, "production", { rollout });
  return { given, old, candidate, version };
}

test("status shows the rollout as bars with the judge's numbers, the same as data, and no control characters", async () => {
  const { given, candidate } = await givenRollout();
  given.router.sendTraffic(ENDPOINT, 1000);
  await given.world.sql("update ml_rollouts set next_tick_at = clock_timestamp()");
  await given.worker.tick();
  const { out, code } = await cli(given, ["status", ENDPOINT]);
  expect(code).toBe(0);
  expect(out).not.toMatch(/\p{Cc}(?<!\n)/u);
  expect(out).toContain("████████████████████████████████████░░░░  90 %  e2i_remission:v1  baseline");
  expect(out).toContain("rollout   running, step 1 of 3: 10 % → 50 % → 100 %, next in ");
  expect(out).toContain("samples   candidate 100 (0.00 % failed), baseline 900 (0.00 % failed)");
  const { data } = await jsonOf(given, statusReportSchema, "status");
  expect(data.endpoints[0]).toMatchObject({
    router: "in_force",
    rollout: { status: "running", candidate: { requests: 100, errors: 0 }, verdict: { outcome: "pass" } },
  });
  given.server.crash(candidate);
  const broken = await cli(given, ["status"]);
  expect(broken.code).toBe(6);
  expect(broken.out).toContain(
    `degraded  ${candidate} (e2i_remission:v2) has traffic and its server is failed`,
  );
});

test("status says of a rollout that went back by itself why it did, with the numbers", async () => {
  const { given, candidate } = await givenRollout();
  for (const requests of [100, 400]) {
    given.router.sendTraffic(ENDPOINT, requests, { [candidate]: { error_rate: 0.5 } });
    await given.world.passTime({ minutes: 1 });
    await given.worker.tick();
  }
  const { out } = await cli(given, ["status"]);
  expect(out).toMatch(
    /rollout {3}rolled back .*\n {2}verdict {3}fail: .*candidate failed 25 of 50 \(50\.00 %\)/,
  );
});

test("a promotion waits for an approval, is approved with its evidence in view, and is carried on", async () => {
  const given = await givenDeployer();
  const version = await givenReadyForProduction(given, "run1");
  const words = ["apply", "promote", version, "production", "--reason", "it is good"];
  const { error: asked } = await jsonErrorOf(given, words);
  expect(asked).toMatchObject({ code: "approval_required" });
  const told = await cli(given, words);
  expect(told.code).toBe(4);
  expect(told.err).toContain(`model-deployer approve ${asked.operation_id}`);
  const id = asked.operation_id ?? "";
  expect((await cli(given, ["approve", id, "--reason", "fine"])).err).toMatch(
    /^not_authenticated {2}The requester is not known/,
  );
  const token = { MODEL_DEPLOYER_TOKEN: APPROVER_TOKEN };
  expect((await cli(given, ["approve", id, "--reason", "fine"], token)).code).toBe(0);
  const revoked = await cli(given, ["revoke", id, "--reason", "the wrong figures"], token);
  expect(revoked).toMatchObject({ code: 0 });
  expect(revoked.out).toContain("omar revoked approval_");
  expect((await cli(given, ["resume-operation", id])).code).toBe(4);
  const approved = await cli(given, ["approve", id, "--reason", "fine"], token);
  expect(approved).toMatchObject({ code: 0 });
  expect(approved.err).toMatch(/^ +evidence +this version +asked for +in production$/m);
  expect(approved.err).toMatch(/^ +✓ +success criteria +test auc +0\.9 +≥ 0\.8$/m);
  expect(approved.out).toContain("approved by omar");
  const carried = await jsonOf(given, resumptionReportSchema, "resume-operation", id);
  expect(carried.data.version_record?.current_stage).toBe("production");
  expect((await cli(given, ["approve", id, "--reason", "again"], token)).code).toBe(3);
});

test("a refusal lists all that is missing, and its exit code says what it is", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  const { error: skipped } = await jsonErrorOf(given, ["apply", "promote", version, "production"]);
  expect(skipped).toMatchObject({ code: "invalid_promotion_path" });
  await cli(given, ["apply", "promote", version, "staging"]);
  await cli(given, ["apply", "promote", version, "shadow"]);
  const { code, err } = await cli(given, ["apply", "promote", version, "production"]);
  expect(code).toBe(3);
  expect(err).toMatch(
    /^production_criteria_not_met {2}(mv_\w+) may not go to production yet\.\n( {2}- .*\n)+.*\n {4}model-deployer apply deploy \1 shadow\n$/,
  );
  expect((await cli(given, ["apply", "promote", version, "heaven"])).code).toBe(2);
  expect((await cli(given, ["rollback", ENDPOINT])).code).toBe(2);
  expect((await cli(given, ["history", "nothing"])).code).toBe(3);
  given.wire.fail("registry.describeRun");
  expect((await cli(given, ["apply", "register", "remission", "run2"])).code).toBe(6);
});

test("controls act on an endpoint's rollout; a rollback takes its candidate, and the history tells it all", async () => {
  const { given, old, candidate } = await givenRollout();
  expect((await cli(given, ["pause", ENDPOINT, "--reason", "quiet, please"])).code).toBe(0);
  expect((await cli(given, ["status"])).out).toContain("quiet, please");
  expect((await cli(given, ["resume", ENDPOINT, "--reason", "go on"])).code).toBe(0);
  const hurried = await jsonErrorOf(given, ["promote-now", ENDPOINT, "--reason", "hurry"]);
  expect(hurried.error.code).toBe("approval_required");
  given.router.sendTraffic(ENDPOINT, 1000, { [candidate]: { error_rate: 0.31 } });
  const back = await jsonOf(given, applyReportSchema, "rollback", ENDPOINT, "--reason", "wrong scores");
  expect(back.data).toMatchObject({ rollback_successful: true, active_deployment_id: old });
  const { data } = await jsonOf(
    given,
    historyReportSchema,
    "history",
    ENDPOINT,
    "--at",
    "2999-01-01T00:00:00Z",
  );
  expect(data.at?.traffic).toMatchObject([{ endpoint_name: ENDPOINT, weight: 100 }]);
  expect(data.events.filter((event) => event.rollout_id !== null).map((event) => event.kind)).toEqual([
    "rollout_started",
    "rollout_paused",
    "rollout_resumed",
    "rollout_rolled_back",
  ]);
  expect(data.episodes[0]?.description).toContain("wrong scores");
  const figures = /candidate failed 31 of 100, baseline 0 of 900/;
  expect((await cli(given, ["history", ENDPOINT])).out).toMatch(figures);
  const { out } = await cli(given, ["status"]);
  expect(out).toMatch(
    /changed {3}\S+ \S+ by \w+: rollback of \w+: wrong scores\n {12}candidate failed 31 of 100/,
  );
  expect((await given.db.deployments.get(candidate))?.rollback_reason).toBe("wrong scores");
});

test("an operator creates an experiment, sets its policy and enrols who may approve", async () => {
  const given = await givenDeployer();
  const words = ["experiments", "create", "relapse", "--name", "Relapse", "--target", "relapse"];
  expect((await cli(given, [...words, "--minimum-auc", "0.7"])).code).toBe(0);
  const set = await cli(given, [
    "policy",
    "set",
    "relapse",
    "--reason",
    "busy",
    "--during-rollout",
    "supersede",
  ]);
  expect(set.out).toMatch(/during_rollout +supersede/);
  expect(set.out).toMatch(/approvals: promote_now +1/);
  const moves = ["policy", "set", "relapse", "--reason", "two pairs of eyes", "--approvals-for"];
  const two = await cli(given, [...moves, "promote_now=2", "archival=0"]);
  expect(two.out).toMatch(/approvals: archival +0/);
  expect((await cli(given, [...moves, "retry=3"])).code).toBe(0);
  const shown = await cli(given, ["policy", "show", "relapse", "--json"]);
  expect(JSON.parse(shown.out)).toMatchObject({
    data: {
      gate_policy: {
        during_rollout: "supersede",
        approvals_by_move: { promote_now: 2, archival: 0, retry: 3 },
      },
    },
  });
  for (const wrong of ["everything=2", "retry=some", "retry"]) {
    expect((await cli(given, [...moves, wrong])).code).toBe(2);
  }
  const limit = (...words: string[]) => cli(given, ["policy", "set", "relapse", "--reason", "now", ...words]);
  for (const wrong of ["1", "24h"]) expect((await limit("--shadow-hours", wrong)).code).toBe(2);
  const short = await limit("--shadow-hours", "0.003");
  expect(short.err).toMatch(/24 or more \(given 0\.003\); less in a demo installation .*init --demo/);
  expect((await limit("--demo")).err).toMatch(/this is a standard installation/);
  expect((await limit("--shadow-p99-ms", "Infinity")).code).toBe(2);
  expect((await limit("--shadow-disagreement", "0.05")).out).toMatch(/maximum_shadow_disagreement +0.05/);
  expect((await limit()).out).toMatch(/maximum_shadow_disagreement +0.05/);
  expect((await limit("--shadow-disagreement", "any")).out).toMatch(/maximum_shadow_disagreement +null/);
  expect((await limit("--formats", "onnx,pickle")).out).toMatch(/formats +onnx, pickle/);
  expect((await limit("--formats", "onnx,marshal")).err).toMatch(/name any, safe, or some of skops, /);
  expect((await limit()).out).toMatch(/formats +onnx, pickle/);
  expect((await limit("--formats", "any")).out).toMatch(/formats +as the installation allows/);
  expect((await limit("--engine", "staging=local")).out).toMatch(/engine: staging +local/);
  expect((await limit("--engine", "k8s")).err).toMatch(/name local, kubernetes, bentocloud or usual/);
  const missing = await limit("--engine", "production=kubernetes");
  expect(missing.code).toBe(3);
  expect(missing.err).toMatch(/this deployer has local alone: set MODEL_DEPLOYER_ENGINE=local,kubernetes/);
  expect((await limit()).out).toMatch(/engine: production +the installation's usual one/);
  const { out } = await cli(given, ["principals", "enrol", "eva", "--json"]);
  const enrolled = z.object({ data: z.object({ token: z.string() }) }).parse(JSON.parse(out));
  expect(await given.db.principals.authenticate(enrolled.data.token)).toEqual({ principal: "eva" });
});

test("a name that nothing has gets the same answer from every command, with the nearest that there is", async () => {
  const given = await givenDeployer();
  await givenInProduction(given, "run1");
  const asks = [
    ["versions", "remision"],
    ["experiments", "show", "remision"],
    ["policy", "show", "remision"],
    ["policy", "set", "remision", "--reason", "a typing error"],
    ["deployments", "e2i_remision"],
    ["status", "e2i_remision"],
    ["history", "e2i_remision"],
  ];
  for (const words of asks) {
    const { code, error } = await jsonErrorOf(given, words);
    expect({ code, is: error.code }, words.join(" ")).toEqual({ code: 3, is: "not_found" });
    expect(error.message, words.join(" ")).toMatch(/remision does not exist; .* Did you mean .*remission/);
  }
});
