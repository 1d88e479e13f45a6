import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import { RedisWorkingMemory } from "../../../src/memory/working_memory.ts";
import {
  callOptions,
  givenSessionIds,
  newSessionId,
} from "../../../src/testing/contracts/memory/examples.ts";
import { describeWorkingMemory } from "../../../src/testing/contracts/memory/working_memory_contract.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { FaultProxy } from "../../faults/harness/fault_proxy.ts";

const redisUrl = inject("redisUrl");
const opened: RedisWorkingMemory[] = [];

function open(url = redisUrl, now?: () => number): RedisWorkingMemory {
  const memory = new RedisWorkingMemory({ redisUrl: url, ...(now && { now }) });
  opened.push(memory);
  return memory;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((memory) => memory.close()));
});

describeWorkingMemory("Redis", () => open());

describe("the pipeline's keys in Redis", () => {
  let redis: Redis;

  beforeAll(() => {
    redis = new Redis(redisUrl);
  });

  afterAll(async () => {
    const keysOf = (id: string) => [
      `model_deployer:manifest:${id}`,
      `e2i:session:${id}`,
      `e2i:session:${id}:messages`,
    ];
    await redis.del(...givenSessionIds.flatMap(keysOf));
    redis.disconnect();
  });

  it("hold the manifest, what the next agent needs, and a message, for a day", async () => {
    const id = newSessionId();
    const manifest = {
      deployment_id: "dep_1",
      endpoint_url: "http://127.0.0.1:1/e",
      status: "active",
      replicas: 1,
    };
    await open(redisUrl, () => 0).rememberManifest(id, manifest, callOptions());
    expect(JSON.parse((await redis.get(`model_deployer:manifest:${id}`)) ?? "")).toEqual(manifest);
    expect(await redis.hgetall(`e2i:session:${id}`)).toEqual({
      deployment_id: "dep_1",
      endpoint_url: "http://127.0.0.1:1/e",
      status: "active",
      last_agent: "model_deployer",
      updated_at: "1970-01-01T00:00:00.000Z",
    });
    const messages = await redis.lrange(`e2i:session:${id}:messages`, 0, -1);
    expect(messages.map((text): unknown => JSON.parse(text))).toMatchObject([
      { agent_name: "model_deployer", summary: { deployment_id: "dep_1" } },
    ]);
    for (const key of [`model_deployer:manifest:${id}`, `e2i:session:${id}`, `e2i:session:${id}:messages`]) {
      const ttl = await redis.ttl(key);
      expect(ttl).toBeGreaterThan(86_300);
      expect(ttl).toBeLessThanOrEqual(86_400);
    }
  });

  it("hold the last ten messages, newest last", async () => {
    const id = newSessionId();
    const memory = open();
    for (let number = 1; number <= 12; number += 1) {
      await memory.rememberManifest(id, { deployment_id: `dep_${number}` }, callOptions());
    }
    const messages = await redis.lrange(`e2i:session:${id}:messages`, 0, -1);
    expect(messages).toHaveLength(10);
    expect(messages.at(0)).toContain('"dep_3"');
    expect(messages.at(-1)).toContain('"dep_12"');
  });

  it("that hold something else are a refusal, not an empty memory", async () => {
    const id = newSessionId();
    const memory = open();
    await redis.set(`e2i:session:${id}`, "no hash");
    const remembered = memory.rememberManifest(id, { status: "active" }, callOptions());
    await expect(remembered).rejects.toMatchObject({ code: "service_refused", service: "redis" });
    await redis.set(`model_deployer:manifest:${id}`, "no JSON");
    const recalled = memory.recallManifest(id, callOptions());
    await expect(recalled).rejects.toMatchObject({ code: "service_refused", service: "redis" });
  });
});

describe("a Redis that goes away", () => {
  const unavailable = { code: "service_unavailable", service: "redis", retryable: true };
  let proxy: FaultProxy;
  let proxied: string;

  beforeAll(async () => {
    ({ proxy, url: proxied } = await FaultProxy.beforeUrl(redisUrl));
  });

  afterEach(() => proxy.mend());
  afterAll(() => proxy.close());

  const worksAgain = (memory: RedisWorkingMemory) =>
    pollUntil(async () => (await memory.recallManifest(newSessionId(), callOptions())) === null, {
      deadlineMs: 120_000,
      what: "answer of Redis after it came back",
    });

  it("is reported, and used again when it is back", async () => {
    const memory = open(proxied);
    await memory.recallManifest(newSessionId(), callOptions());
    await proxy.set("refuse");
    await expect(memory.recallManifest(newSessionId(), callOptions())).rejects.toMatchObject(unavailable);
    await expect(memory.rememberManifest(newSessionId(), {}, callOptions())).rejects.toMatchObject(
      unavailable,
    );
    await proxy.mend();
    expect(await worksAgain(memory)).toBe(true);
  });

  it("may be away at the start", async () => {
    await proxy.set("refuse");
    const memory = open(proxied);
    await expect(memory.recallManifest(newSessionId(), callOptions())).rejects.toMatchObject(unavailable);
    await proxy.mend();
    expect(await worksAgain(memory)).toBe(true);
  });

  it("may take connections and never answer", async () => {
    const memory = open(proxied);
    await memory.recallManifest(newSessionId(), callOptions());
    await proxy.set("black_hole");
    await expect(memory.recallManifest(newSessionId(), callOptions())).rejects.toMatchObject(unavailable);
    await expect(open(proxied).recallManifest(newSessionId(), callOptions())).rejects.toMatchObject(
      unavailable,
    );
    await proxy.mend();
    expect(await worksAgain(memory)).toBe(true);
  });

  it("is not waited for past the caller's deadline", async () => {
    await proxy.set("black_hole");
    const signal = AbortSignal.timeout(20);
    const cause = { name: "TimeoutError" };
    const recalled = open(proxied).recallManifest(newSessionId(), { signal });
    await expect(recalled).rejects.toMatchObject({ ...unavailable, cause });
  });

  it("is reported without the password of its URL", async () => {
    await proxy.set("refuse");
    const url = new URL(proxied);
    url.password = "s3cret-of-redis";
    const failure = await open(url.href)
      .recallManifest(newSessionId(), callOptions())
      .catch((error: unknown) => error);
    expect(failure).toMatchObject(unavailable);
    expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain("s3cret-of-redis");
  });
});
