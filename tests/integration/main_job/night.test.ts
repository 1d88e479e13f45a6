import { expect, test } from "vitest";
import { onTerminal } from "../../support/programs/on_terminal.ts";
import { approverToken, environment, predict, readyForProduction, toProduction } from "./world.ts";

/** At a terminal, on the real parts: what a person types, and who answers the callers then. */

const YES: [string, string][] = [["[y/N]", "y\r"]];

async function type(words: string[], typed: [string, string][] = [], token: Record<string, string> = {}) {
  return onTerminal(words, { environment: { ...environment, ...token }, typed });
}

/** The program's line when it is done. */
async function typeToTheEnd(words: string[], typed: [string, string][] = []): Promise<string> {
  const { code, seen } = await type(words, typed);
  expect(code, seen).toBe(0);
  return seen;
}

/** Agrees to the plan, is told that somebody else has to approve it, has it approved, and asks again. */
async function typeWithApproval(words: string[]): Promise<void> {
  const asked = await type(words, YES);
  expect(asked.code, asked.seen).toBe(4);
  const [operation = ""] = /op_[\w-]+/.exec(asked.seen) ?? [];
  const approve = ["approve", operation, "--reason", "fine"];
  const approved = await type(approve, YES, { MODEL_DEPLOYER_TOKEN: approverToken });
  expect(approved, approved.seen).toMatchObject({ code: 0, untyped: [] });
  expect(approved.seen).toContain("approved by omar");
  await typeToTheEnd(words, YES);
}

async function whoAnswers(url: string): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => predict(url, index)));
  return [...new Set(answers.map(({ status, deployment }) => `${status} ${deployment ?? "nobody"}`))].sort();
}

test("a rollout is steered from a terminal, and a bad version is gone by one command", async () => {
  const first = await readyForProduction("v1");
  const manifest = await toProduction(first.model_version_id);
  const { deployment_id: old, endpoint_name: endpoint, endpoint_url: url } = manifest;
  const second = await readyForProduction("v2");
  const steps = [
    { weight: 50, bake_seconds: 600 },
    { weight: 100, bake_seconds: 0 },
  ];
  const rolling = await toProduction(second.model_version_id, { rollout: { steps } });
  const because = [endpoint, "--reason", "a test at night"];
  expect(await whoAnswers(url)).toEqual([`200 ${old}`, `200 ${rolling.deployment_id}`].sort());

  for (const control of ["pause", "resume", "abort"]) await typeToTheEnd([control, ...because]);
  expect(await whoAnswers(url)).toEqual([`200 ${old}`]);

  await typeWithApproval(["retry", ...because]);
  await typeWithApproval(["promote-now", ...because]);
  const [hurried = "nobody", ...others] = await whoAnswers(url);
  expect(others).toEqual([]);
  expect(hurried).not.toBe(`200 ${old}`);

  await typeToTheEnd(["rollback", ...because]);
  expect(await whoAnswers(url)).toEqual([`200 ${old}`]);
  expect(await typeToTheEnd(["history", endpoint])).toMatch(/rolled back|rollback of/);
}, 600_000);
