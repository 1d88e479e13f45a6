import { expect, test } from "vitest";
import { EndpointCreationError } from "../../../src/agents/model_deployer/errors.ts";
import {
  rehearse,
  type Rehearsal,
  type RehearserParts,
  type RehearsalPlace,
} from "../../../src/keeping/rehearsal/rehearser.ts";
import { deploymentOf } from "../../../src/testing/contracts/database/fixtures.ts";

const signal = new AbortController().signal;

/** One production endpoint that d2 serves, whose way back is d1. */
function given(stage: Partial<RehearsalPlace> = {}, more: Partial<RehearserParts> = {}) {
  const calls: string[] = [];
  const kept: Rehearsal[] = [];
  let clock = 0;
  const [previous, current] = [1, 2].map((n) =>
    deploymentOf("op_1", `d${n}`, n, { target_stage: "production" }),
  );
  const endpoint = { endpoint_name: "e2i_exp", experiment_id: "exp", endpoint_url: "http://127.0.0.1:9" };
  const route = {
    generation: 2,
    weights: { d2: 100 },
    mirror_deployment_id: null,
    engine: null,
    observed_generation: 2,
    observed_at: null,
  };
  const parts: RehearserParts = {
    endpoints: async () => [{ ...endpoint, ...route }],
    wayBackOf: async () => ({ current: current ?? null, previous: previous ?? null }),
    stage: {
      lacks: async () => null,
      start: async ({ deployment_id, resources }) => {
        calls.push(`start ${deployment_id} with ${resources.replicas}`);
        clock += 2345;
      },
      trySample: async () => ({ sample: "answered" }),
      stop: async (id) => void calls.push(`stop ${id}`),
      ...stage,
    },
    keep: async (rehearsal) => void kept.push(rehearsal),
    now: () => clock,
    ...more,
  };
  return { calls, kept, run: (name: string | null = null) => rehearse(parts, name, signal) };
}

test("starts one server of the way back, asks its example, ends it, and says how long that took", async () => {
  const { run, calls, kept } = given();
  const [rehearsal] = await run();
  expect(rehearsal).toMatchObject({ outcome: "works", cold_seconds: 2.345, deployment_id: "d1" });
  expect(calls).toEqual(["start d1 with 1", "stop d1"]);
  expect(kept).toEqual([rehearsal]);
});

test("a way back that does not start, or fails its own example, fails, and is ended all the same", async () => {
  const broken = given({
    start: async () => {
      throw new EndpointCreationError("ModuleNotFoundError: sklearn");
    },
  });
  expect(await broken.run()).toMatchObject([{ outcome: "fails", reason: "ModuleNotFoundError: sklearn" }]);
  expect(broken.calls).toEqual(["stop d1"]);
  const wrong = given({ trySample: async () => ({ sample: "failed", reason: "ValueError" }) });
  expect(await wrong.run()).toMatchObject([{ outcome: "fails", cold_seconds: null }]);
  expect(wrong.calls).toContain("stop d1");
});

test("what would have to be made or fetched first is not started", async () => {
  const { run, calls } = given({ lacks: async () => "the bento is gone" });
  expect(await run()).toMatchObject([{ outcome: "unready", reason: "the bento is gone" }]);
  expect(calls).toEqual([]);
});

test("a way back on another engine is not started here, and says where it runs", async () => {
  const { run, calls } = given(
    { lacks: async ({ engine }) => (engine === "local" ? null : `it runs on ${engine}`) },
    {
      wayBackOf: async () => ({
        current: deploymentOf("op_1", "d2", 2, { target_stage: "production" }),
        previous: deploymentOf("op_1", "d1", 1, { engine: "kubernetes" }),
      }),
    },
  );
  expect(await run()).toMatchObject([{ outcome: "unready", reason: "it runs on kubernetes" }]);
  expect(calls).toEqual([]);
});

test("an endpoint without a way back says so, one of staging is left out, and one can be named", async () => {
  const alone = given(
    {},
    {
      wayBackOf: async () => ({
        current: deploymentOf("op_1", "d2", 2, { target_stage: "production" }),
        previous: null,
      }),
    },
  );
  expect(await alone.run()).toMatchObject([{ outcome: "none" }]);
  const staging = given(
    {},
    {
      wayBackOf: async () => ({
        current: deploymentOf("op_1", "d2", 2, { target_stage: "staging" }),
        previous: null,
      }),
    },
  );
  expect(await staging.run()).toEqual([]);
  expect(await given().run("another")).toEqual([]);
});
