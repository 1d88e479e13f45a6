import { beforeAll, describe, expect, it } from "vitest";
import type { Route } from "../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { makeEnvoyFixture, prepareEnvoy, type EnvoyFixture } from "./fixture.ts";

beforeAll(prepareEnvoy, 20 * 60_000);

const options = { signal: new AbortController().signal };
const route = (generation: number, weights: Route["weights"], mirror: string | null = null): Route => ({
  endpoint_name: "churn",
  generation,
  weights,
  mirror_deployment_id: mirror,
});

const within = (test: (fixture: EnvoyFixture, url: string) => Promise<void>) => async () => {
  const fixture = await makeEnvoyFixture();
  try {
    const { endpoint_url } = await fixture.router.open("churn", options);
    await test(fixture, endpoint_url);
  } finally {
    await fixture.dispose();
  }
};

describe("requests through Envoy", () => {
  it(
    "mirrors each request once, whole, under the request id of the production one",
    within(async ({ router, startServer, predict }, url) => {
      const production = await startServer("production");
      const shadow = await startServer("shadow");
      const servers = [production.address, shadow.address];
      await router.apply(route(1, { production: 100 }, "shadow"), servers, options);

      const large = JSON.stringify({ rows: "x".repeat(3_000_000) });
      const given = await predict(url, { "x-request-id": "given by the caller" }, large);
      const made = await predict(url);
      expect(given).toMatchObject({ status: 200, generation: 1, deployment_id: "production" });
      expect(given.request_id).toBe("given by the caller");
      expect(made.request_id).toMatch(/^[0-9a-f-]{36}$/);
      await pollUntil(() => shadow.received.length === 2, { deadlineMs: 120_000, what: "mirrored requests" });
      const byId = (a: { request_id: string }, b: { request_id: string }) =>
        a.request_id < b.request_id ? -1 : 1;
      expect(shadow.received.sort(byId)).toEqual(production.received.sort(byId));
      expect(production.received.map((r) => r.request_id)).toContain(made.request_id);
    }),
  );

  it(
    "answers 503 as JSON without a production version, and mirrors all the same",
    within(async ({ router, startServer, predict }, url) => {
      const before = await predict(url);
      expect(before).toMatchObject({ status: 503, generation: 0, deployment_id: undefined });
      const shadow = await startServer("shadow");
      await router.apply(route(1, {}, "shadow"), [shadow.address], options);
      const answer = await predict(url, { "x-request-id": "first" }, '{"x":1}');
      expect(answer).toMatchObject({ status: 503, generation: 1, request_id: "first" });
      expect(answer.content_type).toBe("application/json");
      expect(Number(answer.retry_after)).toBeGreaterThan(0);
      expect(JSON.parse(answer.body)).toMatchObject({
        error: "no_production_version",
        endpoint_name: "churn",
      });
      await pollUntil(() => shadow.received.length > 0, { deadlineMs: 120_000, what: "a mirrored request" });
      expect(shadow.received).toEqual([{ request_id: "first", url: "/predict", body: '{"x":1}' }]);
    }),
  );

  it(
    "lets a shadow that never answers hold few requests, and production as many as it has to",
    within(async ({ router, startServer, predict }, url) => {
      const production = await startServer("production", { hold: true });
      const shadow = await startServer("shadow", { hold: true });
      const servers = [production.address, shadow.address];
      await router.apply(route(1, { production: 100 }, "shadow"), servers, options);
      const calls = Array.from({ length: 200 }, () => predict(url));
      await pollUntil(() => production.received.length === 200, {
        deadlineMs: 120_000,
        what: "200 requests at once",
      });
      production.release();
      for (let later = 0; later < 20; later += 1) calls.push(predict(url));
      const answers = await Promise.all(calls);
      expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
      expect(shadow.received).toHaveLength(64);

      shadow.release();
      const counted = await pollUntil(
        async () => {
          const figures = await router.figures("churn", options);
          const found = figures.find(({ deployment_id }) => deployment_id === "shadow");
          return found?.requests === shadow.received.length ? found : null;
        },
        { deadlineMs: 120_000, what: "the held requests' figures" },
      );
      expect(counted.errors).toBe(0);
    }),
  );

  it(
    "serves production while the shadow is dead, and counts the shadow's errors",
    within(async ({ router, startServer, predict }, url) => {
      const production = await startServer("production");
      const shadow = await startServer("shadow");
      const servers = [production.address, shadow.address];
      await router.apply(route(1, { production: 100 }, "shadow"), servers, options);
      await shadow.close();
      for (let sent = 0; sent < 10; sent += 1) expect((await predict(url)).status).toBe(200);
      await pollUntil(
        async () => {
          const figures = await router.figures("churn", options);
          const found = figures.find(({ deployment_id }) => deployment_id === "shadow");
          return found?.requests === 10 && found.errors === 10;
        },
        { deadlineMs: 120_000, what: "10 errors of the shadow" },
      );
      const figures = await router.figures("churn", options);
      expect(figures[0]).toMatchObject({ deployment_id: "production", requests: 10, errors: 0 });
    }),
  );

  it(
    "never sends a prediction twice once a server may have seen it, whatever headers the caller sets",
    within(async ({ router, startServer, predict }, url) => {
      const cutting = await startServer("cutting", { reset: true });
      const failing = await startServer("failing", { status: 503 });
      const servers = [cutting.address, failing.address];
      const greedy = { "x-envoy-retry-on": "5xx,reset", "x-envoy-max-retries": "5" };
      await router.apply(route(1, { cutting: 100 }), servers, options);
      expect(await predict(url, greedy)).toMatchObject({ status: 503, deployment_id: "cutting" });
      expect(cutting.received).toHaveLength(1);
      await router.apply(route(2, { failing: 100 }), servers, options);
      expect((await predict(url, greedy)).status).toBe(503);
      expect(failing.received).toHaveLength(1);
      const figures = await router.figures("churn", options);
      expect(figures.map(({ requests, errors }) => [requests, errors])).toEqual([
        [1, 1],
        [1, 1],
      ]);
    }),
  );

  it(
    "counts apart what callers gave up, and once what has failed otherwise",
    within(async ({ router, startServer, predict }, url) => {
      const hanging = await startServer("hanging", { hold: true });
      const cutting = await startServer("cutting", { reset: true });
      await router.apply(route(1, { hanging: 100 }), [hanging.address], options);
      const calls = Array.from({ length: 5 }, async (_, index) => {
        const leaving = new AbortController();
        const call = predict(url, {}, "{}", leaving.signal).catch(() => null);
        await pollUntil(() => hanging.received.length > index, { deadlineMs: 120_000, what: "the request" });
        leaving.abort();
        return call;
      });
      expect(await Promise.all(calls)).toEqual(calls.map(() => null));
      const counted = await pollUntil(
        async () => {
          const [found] = await router.figures("churn", options);
          return found?.given_up === calls.length ? found : null;
        },
        { deadlineMs: 120_000, what: "what callers gave up" },
      );
      expect(counted).toMatchObject({ deployment_id: "hanging", requests: 0, errors: 0 });

      await router.apply(route(2, { cutting: 100 }), [cutting.address], options);
      expect((await predict(url)).status).toBe(503);
      const [other] = await router.figures("churn", options);
      expect(other).toMatchObject({ deployment_id: "cutting", requests: 1, errors: 1, given_up: 0 });
    }),
  );

  it(
    "lets a request under way end normally when its deployment loses its weight, and later its cluster",
    within(async ({ router, startServer, predict }, url) => {
      const old = await startServer("old", { hold: true });
      await router.apply(route(1, { old: 100 }), [old.address], options);
      const pending = predict(url, { "x-request-id": "patient" });
      await pollUntil(() => old.received.length === 1, { deadlineMs: 120_000, what: "the request" });
      for (let generation = 2; generation <= 14; generation += 1) {
        const next = await startServer(`next-${generation}`);
        const weights = { [next.address.deployment_id]: 100 };
        await router.apply(route(generation, weights), [next.address], options);
        expect((await predict(url)).body).toBe(next.address.deployment_id);
      }
      const deployments = async () => {
        const figures = await router.figures("churn", options);
        return figures.map(({ deployment_id }) => deployment_id);
      };
      expect(await deployments()).not.toContain("next-2");
      old.release();
      expect(await pending).toMatchObject({ status: 200, body: "old", generation: 1 });
      expect(await deployments()).toContain("old");
    }),
  );
});
