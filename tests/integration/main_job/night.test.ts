import { expect, test } from "vitest";
import { onTerminal } from "../../support/on_terminal.ts";
import { approverToken, deployer, environment, predict, readyForProduction, toProduction } from "./world.ts";

/** At a terminal, on the real parts: what a person types, and who answers the callers then. */

const YES: [string, string][] = [["[y/N]", "y\r"]];

async function type(words: string[], typed: [string, string][] = [], token: Record<string, string> = {}) {
  return onTerminal(words, { environment: { ...environment, ...token }, typed });
}

/** Agrees to the plan, is told that somebody else has to approve it, has it approved, and asks again. */
async function typeWithApproval(words: string[]): Promise<string> {
  const asked = await type(words, YES);
  expect(asked.code, asked.seen).toBe(4);
  const [operation = ""] = /op_[\w-]+/.exec(asked.seen) ?? [];
  const approve = ["approve", operation, "--reason", "fine"];
  const approved = await type(approve, YES, { MODEL_DEPLOYER_TOKEN: approverToken });
  expect(approved, approved.seen).toMatchObject({ code: 0, untyped: [] });
  expect(approved.seen).toContain("approved by omar");
  const carried = await type(words, YES);
  expect(carried.code, carried.seen).toBe(0);
  return carried.seen;
}

async function whoAnswers(url: string): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => predict(url, index)));
  return [...new Set(answers.map(({ status, deployment }) => `${status} ${deployment ?? "nobody"}`))].sort();
}

test("a rollout is steered from a terminal, and a bad version is gone by one command", async () => {
  const first = await readyForProduction("v1");
  const old = await toProduction(first.versionId);
  const second = await readyForProduction("v2");
  const steps = [
    { weight: 50, bake_seconds: 600 },
    { weight: 100, bake_seconds: 0 },
  ];
  const candidate = await toProduction(second.versionId, { steps });
  const { url } = first;
  const { endpoint_name: endpoint } =
    (await deployer.database.deployments.get(old)) ?? expect.fail("it is gone");
  const because = [endpoint, "--reason", "a test at night"];
  expect(await whoAnswers(url)).toEqual([`200 ${old}`, `200 ${candidate}`].sort());

  for (const control of ["pause", "resume"]) {
    const { code, seen } = await type([control, ...because]);
    expect(code, seen).toBe(0);
  }
  const aborted = await type(["abort", ...because]);
  expect(aborted.code, aborted.seen).toBe(0);
  expect(await whoAnswers(url)).toEqual([`200 ${old}`]);

  await typeWithApproval(["retry", ...because]);
  await typeWithApproval(["promote-now", ...because]);
  const [hurried = "nobody", ...others] = await whoAnswers(url);
  expect(others).toEqual([]);
  expect(hurried).not.toBe(`200 ${old}`);

  const back = await type(["rollback", ...because]);
  expect(back.code, back.seen).toBe(0);
  expect(await whoAnswers(url)).toEqual([`200 ${old}`]);
  const told = await type(["history", endpoint]);
  expect(told.code).toBe(0);
  expect(told.seen).toMatch(/rolled back|rollback of/);
}, 600_000);
