import { beforeAll, expect, it } from "vitest";
import type { WeightSet } from "../../../src/agents/model_deployer/domain/entities.ts";
import { makeEnvoyFixture, prepareEnvoy, type Answer } from "./fixture.ts";

beforeAll(prepareEnvoy, 20 * 60_000);

const options = { signal: new AbortController().signal };
const SWITCHES = 60;
const CALLERS = 16;

it("loses no request in 60 switches under load, and none is answered by what an acknowledged switch took away", async () => {
  const fixture = await makeEnvoyFixture();
  try {
    const { endpoint_url } = await fixture.router.open("churn", options);
    const servers = [await fixture.startServer("a"), await fixture.startServer("b")];
    const addresses = servers.map((server) => server.address);
    const applied = new Map<number, WeightSet>();
    let acknowledged = 0;
    const switchTo = async (generation: number) => {
      const weights: WeightSet =
        generation % 3 === 0 ? { a: 50, b: 50 } : generation % 3 === 1 ? { a: 100 } : { b: 100 };
      applied.set(generation, weights);
      const route = { endpoint_name: "churn", generation, weights, mirror_deployment_id: null };
      expect(await fixture.router.apply(route, addresses, options)).toEqual(route);
      acknowledged = generation;
    };
    await switchTo(1);

    const answers: (Answer & { acknowledged_before: number })[] = [];
    let isOver = false;
    const call = async () => {
      while (!isOver) {
        const acknowledged_before = acknowledged;
        answers.push({ ...(await fixture.predict(endpoint_url)), acknowledged_before });
      }
    };
    const load = Promise.all(Array.from({ length: CALLERS }, call));
    for (let generation = 2; generation <= SWITCHES + 1; generation += 1) {
      const before = answers.length;
      await switchTo(generation);
      // Traffic between any two switches, so that each is a switch under load.
      while (answers.length < before + CALLERS) await new Promise(setImmediate);
    }
    isOver = true;
    await load;

    expect(answers.length).toBeGreaterThan(SWITCHES * CALLERS);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(answers.filter((answer) => answer.generation < answer.acknowledged_before)).toEqual([]);
    const stray = answers.filter(({ generation, body }) => !applied.get(generation)?.[body]);
    expect(stray).toEqual([]);
    expect(answers.filter(({ body, deployment_id }) => body !== deployment_id)).toEqual([]);
    const received = servers.reduce((sum, server) => sum + server.received.length, 0);
    expect(received).toBe(answers.length);
  } finally {
    await fixture.dispose();
  }
}, 120_000);
