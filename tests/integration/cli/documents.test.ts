import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { z } from "zod";
import {
  applyReportSchema,
  approvalReportSchema,
  deploymentsReportSchema,
  planReportSchema,
  reconciliationReportSchema,
  resumptionReportSchema,
  revocationReportSchema,
  statusReportSchema,
  versionsReportSchema,
} from "../../../src/service/report_schemas.ts";
import {
  experimentReportSchema,
  experimentsReportSchema,
  policyReportSchema,
} from "../../../src/service/policies/policy_schemas.ts";
import { historyReportSchema } from "../../../src/service/status/history_schemas.ts";
import { pruneReportSchema } from "../../../src/service/machine/keeping_schemas.ts";
import { auditReportSchema, auditVerificationSchema } from "../../../src/service/audit/audit_schemas.ts";
import {
  principalReportSchema,
  principalsReportSchema,
} from "../../../src/service/people/principal_schemas.ts";
import { disagreementsSchema, replaySchema } from "../../../src/service/rows/row_schemas.ts";
import { judgedReportSchema } from "../../../src/service/judging/judged_schemas.ts";
import {
  removedSinkSchema,
  retriedSinkSchema,
  sinkReportSchema,
  sinksReportSchema,
} from "../../../src/service/notifications/sink_schemas.ts";
import { ingressReportSchema, newKeyReportSchema } from "../../../src/service/ingress/ingress_schemas.ts";
import { outcomesReportSchema } from "../../../src/service/judging/outcome_schemas.ts";
import { billOfMaterialsSchema } from "../../../src/service/bills/bill_schemas.ts";
import { cli, documentOf, jsonErrorOf } from "../../support/given/given_cli.ts";
import {
  APPROVER_TOKEN,
  ENDPOINT,
  EXPERIMENT,
  type GivenDeployer,
} from "../../support/given/given_deployer.ts";
import { givenRollout } from "../../support/given/given_rollout.ts";

/**
 * Asked as programs elsewhere: those that run until they are ended (`worker`, `up`, `serve`), that look at the machine or
 * change it (`doctor`, `down`, `env`, `init`, `example`, `release`), and that print for another program than a script of
 * somebody's (`console`, `manifests`, `completion`).
 */
const OF_ITS_OWN = [
  ...["worker", "up", "serve", "doctor", "down", "env", "init", "example", "release"],
  ...["console", "manifests", "completion"],
  // They ask an API, and a provider of identities.
  ...["login", "logout"],
  // They read and write files, and a database's rows past every policy.
  ...["backup", "restore", "rehearse"],
];

/** Somebody's scripts: what a command prints is read by its schema, and which commands were asked is remembered. */
class Scripts {
  readonly asked = new Set<string>();
  readonly #given: GivenDeployer;

  constructor(given: GivenDeployer) {
    this.#given = given;
  }

  async read<T>(schema: z.ZodType<T>, words: string[], environment: Record<string, string> = {}): Promise<T> {
    this.#note(words);
    const { code, data } = await documentOf(this.#given, schema, words, environment);
    expect(code, words.join(" ")).toBe(0);
    return data;
  }

  /** @returns the operation that waits for an approval */
  async areToldToWait(words: string[]): Promise<string> {
    this.#note(words);
    const { code, error } = await jsonErrorOf(this.#given, words);
    expect({ code, error: error.code }).toEqual({ code: 4, error: "approval_required" });
    return error.operation_id ?? expect.fail("no operation waits");
  }

  #note([command = ""]: string[]): void {
    this.asked.add(command);
  }
}

const because = ["--reason", "a test"];
const asOmar = { MODEL_DEPLOYER_TOKEN: APPROVER_TOKEN };

async function setUp(scripts: Scripts): Promise<void> {
  const described = ["relapse", "--name", "Relapse", "--target", "relapse"];
  await scripts.read(experimentReportSchema, ["experiments", "create", ...described]);
  await scripts.read(experimentReportSchema, ["experiments", "show", "relapse"]);
  await scripts.read(experimentsReportSchema, ["experiments", "list"]);
  await scripts.read(policyReportSchema, ["policy", "set", "relapse", ...because, "--approvals", "2"]);
  await scripts.read(policyReportSchema, ["policy", "show", "relapse"]);
  await scripts.read(principalReportSchema, ["principals", "enrol", "eva"]);
  const hook = "https://alerts.example.org/hooks/secret-path";
  const set = ["notifications", "set", "pager", "--webhook", hook, "--events", "rolled_back"];
  const { sink, secret } = await scripts.read(sinkReportSchema, set);
  expect(sink.to).toBe("alerts.example.org");
  expect(secret).toMatch(/^whsec_/);
  expect(JSON.stringify(await scripts.read(sinksReportSchema, ["notifications", "list"]))).not.toMatch(
    /secret-path|whsec_/,
  );
  await scripts.read(retriedSinkSchema, ["notifications", "retry", "pager"]);
  await scripts.read(removedSinkSchema, ["notifications", "remove", "pager"]);
  await scripts.read(principalsReportSchema, ["principals", "list"]);
  await scripts.read(auditReportSchema, ["audit", "list"]);
  const { is_intact } = await scripts.read(auditVerificationSchema, ["audit", "verify"]);
  expect(is_intact).toBe(true);
}

async function lookAround(scripts: Scripts): Promise<void> {
  await scripts.read(versionsReportSchema, ["versions", EXPERIMENT]);
  const { deployments } = await scripts.read(deploymentsReportSchema, ["deployments", ENDPOINT]);
  await scripts.read(billOfMaterialsSchema, ["sbom", deployments[0]?.deployment_id ?? ""]);
  await scripts.read(statusReportSchema, ["status"]);
  await scripts.read(historyReportSchema, ["history", ENDPOINT]);
  await scripts.read(ingressReportSchema, ["endpoints", "show", ENDPOINT]);
  await scripts.read(ingressReportSchema, ["endpoints", "set", ENDPOINT, "--rate", "100/s", ...because]);
  const made = await scripts.read(newKeyReportSchema, ["endpoints", "keys", "make", ENDPOINT, "--name", "a"]);
  await scripts.read(ingressReportSchema, ["endpoints", "keys", "revoke", ENDPOINT, made.key_id]);
  await scripts.read(outcomesReportSchema, ["outcomes", "show", ENDPOINT]);
  await scripts.read(disagreementsSchema, ["disagreements", ENDPOINT]);
  await scripts.read(judgedReportSchema, ["judge", ENDPOINT]);
  await scripts.read(planReportSchema, ["plan", "abort", ENDPOINT, ...because]);
  await scripts.read(reconciliationReportSchema, ["reconcile"]);
  await scripts.read(pruneReportSchema, ["prune", "--plan", "--older-than", "30d"]);
}

async function steer(scripts: Scripts): Promise<void> {
  for (const control of ["pause", "resume", "abort"]) {
    const { status } = await scripts.read(applyReportSchema, [control, ENDPOINT, ...because]);
    expect(status, control).toBe("completed");
  }
  const retried = await scripts.areToldToWait(["retry", ENDPOINT, ...because]);
  await scripts.read(approvalReportSchema, ["approve", retried, ...because], asOmar);
  await scripts.read(revocationReportSchema, ["revoke", retried, ...because], asOmar);
  await scripts.read(approvalReportSchema, ["approve", retried, ...because], asOmar);
  const carried = await scripts.read(resumptionReportSchema, ["resume-operation", retried]);
  expect(carried.status).toBe("completed");
  const hurried = ["promote-now", ENDPOINT, ...because];
  await scripts.read(
    approvalReportSchema,
    ["approve", await scripts.areToldToWait(hurried), ...because],
    asOmar,
  );
  expect((await scripts.read(applyReportSchema, hurried)).status).toBe("completed");
}

test("every command prints one document that its schema reads", async () => {
  const given = await givenRollout();
  const scripts = new Scripts(given);
  await setUp(scripts);
  await lookAround(scripts);
  await steer(scripts);
  const back = await scripts.read(applyReportSchema, ["rollback", ENDPOINT, ...because]);
  expect(back.rollback_successful).toBe(true);
  const { deployments } = await scripts.read(deploymentsReportSchema, ["deployments", ENDPOINT]);
  const serving = back.active_deployment_id ?? expect.fail("nothing serves");
  await scripts.read(applyReportSchema, ["restart", serving, ...because]);
  await scripts.read(applyReportSchema, ["update", serving, "--cpu", "2", ...because]);
  const ended = deployments.find(({ status }) => status === "rolled_back") ?? expect.fail("none has ended");
  const rows = join(await mkdtemp(join(tmpdir(), "model-deployer-rows-")), "rows.jsonl");
  await writeFile(rows, '{"path": "/predict", "input": {"features": {}}}\n');
  const version = (await given.database.deployments.get(ended.deployment_id))?.model_version_id ?? "";
  const sent = await scripts.read(replaySchema, ["replay", version, "--from", rows]);
  expect(sent).toMatchObject({ sent: 1, failed: 0 });
  await scripts.read(applyReportSchema, ["remove", ended.deployment_id, ...because]);
  const registered = await scripts.read(applyReportSchema, ["apply", "register", EXPERIMENT, "run3"]);
  expect(registered.version_record?.current_stage).toBe("development");
  const { out } = await cli(given, ["--help"]);
  const commands = [...out.matchAll(/^ {2}([a-z][a-z-]*) .*$/gm)].map(([, name]) => name ?? "");
  expect(commands).toContain("status");
  const elsewhere = [...OF_ITS_OWN, "help"];
  expect(commands.filter((name) => !scripts.asked.has(name) && !elsewhere.includes(name))).toEqual([]);
});
