import { expect, test } from "vitest";
import type { z } from "zod";
import {
  applyReportSchema,
  approvalReportSchema,
  deploymentsReportSchema,
  experimentReportSchema,
  experimentsReportSchema,
  historyReportSchema,
  planReportSchema,
  policyReportSchema,
  principalReportSchema,
  reconciliationReportSchema,
  resumptionReportSchema,
  revocationReportSchema,
  statusReportSchema,
  versionsReportSchema,
} from "../../../src/cli/schemas.ts";
import { cli, documentOf, jsonErrorOf } from "../../support/given_cli.ts";
import { APPROVER_TOKEN, ENDPOINT, EXPERIMENT, type GivenDeployer } from "../../support/given_deployer.ts";
import { givenRollout } from "../../support/given_rollout.ts";

/** `worker` prints lines, one for each event, and `doctor` looks at the machine: they are asked as programs elsewhere. */
const OF_ITS_OWN = ["worker", "doctor"];

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
}

async function lookAround(scripts: Scripts): Promise<void> {
  await scripts.read(versionsReportSchema, ["versions", EXPERIMENT]);
  await scripts.read(deploymentsReportSchema, ["deployments", ENDPOINT]);
  await scripts.read(statusReportSchema, ["status"]);
  await scripts.read(historyReportSchema, ["history", ENDPOINT]);
  await scripts.read(planReportSchema, ["plan", "abort", ENDPOINT, ...because]);
  await scripts.read(reconciliationReportSchema, ["reconcile"]);
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
  const ended = deployments.find(({ status }) => status === "rolled_back") ?? expect.fail("none has ended");
  await scripts.read(applyReportSchema, ["remove", ended.deployment_id, ...because]);
  const registered = await scripts.read(applyReportSchema, ["apply", "register", EXPERIMENT, "run3"]);
  expect(registered.version_record?.current_stage).toBe("development");
  const { out } = await cli(given, ["--help"]);
  const commands = [...out.matchAll(/^ {2}([a-z][a-z-]*) .*$/gm)].map(([, name]) => name ?? "");
  expect(commands).toContain("status");
  const elsewhere = [...OF_ITS_OWN, "help"];
  expect(commands.filter((name) => !scripts.asked.has(name) && !elsewhere.includes(name))).toEqual([]);
});
