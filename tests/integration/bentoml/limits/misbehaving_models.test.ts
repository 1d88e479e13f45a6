import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { pollUntil } from "../../../../src/testing/poll.ts";
import { type EnvoyFixture, makeEnvoyFixture, prepareEnvoy } from "../../envoy/fixture.ts";
import { openWorkshop, resources, type Workshop } from "../workshop.ts";

/** What the model does, by the number that it is asked for; with any other it answers at once. */
const LEAKS = 7;
const EXITS_AT_THE_50TH = 8;
const ANSWERS_NAN = 9;
const LEAVES_A_CHILD = 10;

const DEADLINE_MS = 240_000;
const options = { signal: new AbortController().signal };
const MEBIBYTE = 1024 ** 2;

let workshop: Workshop;
let envoy: EnvoyFixture;
const urls = { churn: "", fraud: "" };

/** `churn` has two servers of the model, `fraud`, its neighbour, one. */
beforeAll(async () => {
  await prepareEnvoy();
  [workshop, envoy] = await Promise.all([openWorkshop(), makeEnvoyFixture()]);
  const bento_tag = await workshop.pack("behaving");
  for (const [endpoint_name, replicas] of [
    ["churn", 2],
    ["fraud", 1],
  ] as const) {
    const deployment_id = `dep_${endpoint_name}`;
    const autoscaling = { min: replicas, max: replicas, target_cpu: 70 };
    const given = { deployment_id, bento_tag, resources: { ...resources, replicas, autoscaling } };
    await workshop.server.start(given, { signal: AbortSignal.timeout(400_000) });
    urls[endpoint_name] = (await envoy.router.open(endpoint_name, options)).endpoint_url;
    const route = {
      endpoint_name,
      generation: 1,
      weights: { [deployment_id]: 100 },
      mirror_deployment_id: null,
    };
    await envoy.router.apply(route, await addressesOf(deployment_id), options);
  }
}, 1_200_000);

afterAll(async () => {
  await envoy.dispose();
  await workshop.close();
}, 240_000);

async function addressesOf(deployment_id: string) {
  const seen = await workshop.server.observe(deployment_id, options);
  if (seen.state !== "ready") return expect.fail(`${deployment_id} is ${seen.state}`);
  const each = seen.replicas ?? [{ host: seen.host, port: seen.port }];
  return each.map(({ host, port }) => ({ deployment_id, host, port }));
}

function ask(endpoint: keyof typeof urls, x: number) {
  const body = JSON.stringify({ features: { x } });
  return envoy.predict(urls[endpoint], { "content-type": "application/json" }, body);
}

const logOf = (process: string) => readFile(join(workshop.directory, "run", `bento-${process}.log`), "utf8");

/** Both endpoints answer, while `work` goes on and afterwards. */
async function whileAllAnswer(work: () => Promise<void>): Promise<void> {
  const failed: { endpoint: string; status: number }[] = [];
  let isOver = false;
  const callers = (["churn", "fraud"] as const).map(async (endpoint) => {
    for (let after = 0; after < 20; after += isOver ? 1 : 0) {
      const { status } = await ask(endpoint, 0);
      if (status !== 200) failed.push({ endpoint, status });
    }
  });
  try {
    await work();
  } finally {
    isOver = true;
    await Promise.all(callers);
  }
  expect(failed).toEqual([]);
}

async function memoryOf(deployment: string): Promise<number[]> {
  const usage = await workshop.server.usage(deployment, options);
  return usage.map(({ memory_bytes }) => memory_bytes);
}

describe(
  "production keeps answering, and its neighbour is not hurt, beside a model that",
  { timeout: 600_000 },
  () => {
    it("ends its process at the 50th request: another server answers, the ended one comes back, its log says why", async () => {
      const logs = async () => `${await logOf("dep_churn")}${await logOf("dep_churn.replica-2")}`;
      const told = async () => (await logs()).includes("the server has ended with 3; it is started again");
      // One of the two is far ahead: where both end at once, nobody is left to answer.
      const [ahead] = await addressesOf("dep_churn");
      const body = JSON.stringify({ features: { x: EXITS_AT_THE_50TH } });
      const headers = { "content-type": "application/json" };
      for (let sent = 0; sent < 45; sent += 1)
        await envoy.predict(`http://${ahead?.host}:${ahead?.port}`, headers, body);
      await whileAllAnswer(async () => {
        for (let sent = 0; sent < 40 && !(await told()); sent += 1) {
          expect((await ask("churn", EXITS_AT_THE_50TH)).status).toBe(200);
        }
      });
      await pollUntil(told, { what: "a line about the end", deadlineMs: DEADLINE_MS });
      const figures = (await envoy.router.figures("churn", options)).find((one) => one.errors > 0);
      expect(figures?.resets).toBe(figures?.errors);
      const isWhole = async () => (await workshop.server.observe("dep_churn", options)).state === "ready";
      await pollUntil(isWhole, { what: "both servers", deadlineMs: DEADLINE_MS });
    });

    it("keeps 20 MB of each request: what it holds is measured, and nothing of it at its neighbour", async () => {
      const neighbour = await memoryOf("dep_fraud");
      const before = await memoryOf("dep_churn");
      await whileAllAnswer(async () => {
        for (let sent = 0; sent < 30; sent += 1) expect((await ask("churn", LEAKS)).status).toBe(200);
      });
      const grown = (await memoryOf("dep_churn")).reduce(
        (sum, bytes, index) => sum + bytes - (before[index] ?? 0),
        0,
      );
      expect(grown).toBeGreaterThan(500 * MEBIBYTE);
      const [beside = 0] = await memoryOf("dep_fraud");
      expect(beside - (neighbour[0] ?? 0)).toBeLessThan(50 * MEBIBYTE);
    });

    it("answers NaN: its caller is told what cannot be encoded, and nobody else notices", async () => {
      await whileAllAnswer(async () => {
        for (let sent = 0; sent < 20; sent += 1) {
          const { status, body } = await ask("churn", ANSWERS_NAN);
          expect(status).toBe(500);
          expect(z.object({ error_code: z.string() }).parse(JSON.parse(body)).error_code).toBe(
            "ANSWER_NOT_ENCODABLE",
          );
        }
      });
    });

    it("leaves children behind: none is left when its deployment is stopped", async () => {
      const before = (await workshop.processesOf("dep_churn")).length;
      await whileAllAnswer(async () => {
        for (let sent = 0; sent < 10; sent += 1)
          expect((await ask("churn", LEAVES_A_CHILD)).status).toBeLessThan(600);
      });
      const left = await processesOfAll();
      expect(left).toBeGreaterThan(before);
      const elsewhere = {
        endpoint_name: "churn",
        generation: 2,
        weights: { dep_fraud: 100 },
        mirror_deployment_id: null,
      };
      await envoy.router.apply(elsewhere, await addressesOf("dep_fraud"), options);
      await whileAllAnswer(() => workshop.server.stop("dep_churn", { signal: AbortSignal.timeout(240_000) }));
      expect(await processesOfAll()).toBe(0);
    });
  },
);

async function processesOfAll(): Promise<number> {
  return (await workshop.processesOf("dep_churn")).length;
}
