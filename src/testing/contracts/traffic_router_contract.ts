import { describe, expect, it } from "vitest";
import {
  InvalidRequestError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import type { Route } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import type { ServerAddress } from "../../agents/model_deployer/ports/traffic_router_port.ts";
import { describeCounts } from "./traffic_router/counts_contract.ts";
import { options, route, type TrafficRouterHarness, type Within } from "./traffic_router/harness.ts";

export type { TrafficRouterHarness } from "./traffic_router/harness.ts";

/** The contract of TrafficRouter; `address` says what the addresses of endpoints look like. */
export function describeTrafficRouter(
  name: string,
  makeHarness: () => Promise<TrafficRouterHarness>,
  { address = /^http:\/\/127\.0\.0\.1:\d+$/ }: { address?: RegExp } = {},
): void {
  const within: Within = (test) => async () => {
    const harness = await makeHarness();
    try {
      await test(harness);
    } finally {
      await harness.dispose();
    }
  };

  describe(`traffic router: ${name}`, { timeout: 600_000 }, () => {
    describeEndpointNames(within, address);
    describeRoutes(within);
    describeWhatIsAway(within);
    describeCounts(within);
  });
}

function describeEndpointNames(within: Within, address: RegExp): void {
  it(
    "keeps an endpoint's address, whoever opens it again",
    within(async ({ router }) => {
      const first = await router.open("churn", options);
      expect(await router.open("churn", options)).toEqual(first);
      expect(first.endpoint_url).toMatch(address);
      const other = await router.open("fraud", options);
      expect(other.endpoint_url).not.toBe(first.endpoint_url);
    }),
  );

  it.each(["", "Churn", "-churn", "churn_", "../churn", "a/b", "a\nb", "x".repeat(64)])(
    "refuses the endpoint name %j",
    (endpointName) =>
      within(async ({ router }) => {
        await expect(router.open(endpointName, options)).rejects.toThrow(InvalidRequestError);
        await expect(router.observe(endpointName, options)).rejects.toThrow(InvalidRequestError);
      })(),
  );

  it(
    "observes nothing before the first opening, then generation 0 without weights",
    within(async ({ router }) => {
      expect(await router.observe("churn", options)).toBeNull();
      await router.open("churn", options);
      expect(await router.observe("churn", options)).toEqual(route(0, {}));
    }),
  );
}

function describeRoutes(within: Within): void {
  it(
    "puts a route into force and observes exactly it, a weight of 0 included",
    within(async ({ router, startServer }) => {
      await router.open("churn", options);
      const servers = [await startServer("a", 200), await startServer("b", 200)];
      const wanted = route(1, { a: 100, gone: 0 }, "b");
      expect(await router.apply(wanted, servers, options)).toEqual(wanted);
      expect(await router.observe("churn", options)).toEqual(wanted);
      const next = route(2, { a: 30, b: 70 });
      expect(await router.apply(next, servers, options)).toEqual(next);
      expect(await router.observe("churn", options)).toEqual(next);
    }),
  );

  it(
    "changes nothing for a generation at or below the one in force, and answers with that one",
    within(async ({ router, startServer }) => {
      await router.open("churn", options);
      const servers = [await startServer("a", 200), await startServer("b", 200)];
      const wanted = route(5, { a: 100 });
      await router.apply(wanted, servers, options);
      expect(await router.apply(route(4, { b: 100 }), servers, options)).toEqual(wanted);
      expect(await router.apply(route(5, { b: 100 }), servers, options)).toEqual(wanted);
      expect(await router.observe("churn", options)).toEqual(wanted);
    }),
  );

  it(
    "keeps what is in force when it refuses a route, and takes the same generation afterwards",
    within(async ({ router, startServer }) => {
      await router.open("churn", options);
      const servers = [await startServer("a", 200)];
      const wanted = route(1, { a: 100 });
      await router.apply(wanted, servers, options);
      const refused: [Route, ServerAddress[]][] = [
        [route(2, { a: 99 }), servers],
        [route(2, { a: 60, b: 60 }), servers],
        [route(2, { a: 0 }), servers],
        [route(2, { unknown: 100 }), servers],
        [route(2, { a: 100 }, "unknown"), servers],
        [route(2, { "a\nb": 100 }), [{ deployment_id: "a\nb", host: "127.0.0.1", port: 1 }]],
        [route(2, { b: 100 }), [{ deployment_id: "b", host: "example.org", port: 80 }]],
        [route(2, { b: 100 }), [{ deployment_id: "b", host: "127.0.0.1", port: 0 }]],
      ];
      for (const [bad, known] of refused) {
        await expect(router.apply(bad, known, options)).rejects.toThrow(ServiceRefusedError);
      }
      expect(await router.observe("churn", options)).toEqual(wanted);
      expect(await router.apply(route(2, {}, "a"), servers, options)).toEqual(route(2, {}, "a"));
    }),
  );
}

/** Servers, listeners and callers that have gone. */
function describeWhatIsAway(within: Within): void {
  it(
    "moves traffic away from a deployment that has no server any more, whose address it keeps",
    within(async ({ router, startServer, sendRequests }) => {
      const { endpoint_url } = await router.open("churn", options);
      const a = await startServer("a", 200);
      const b = await startServer("b", 200);
      await router.apply(route(1, { a: 90, b: 10 }), [a, b], options);
      const next = route(2, { a: 1, b: 99 });
      expect(await router.apply(next, [b], options)).toEqual(next);
      expect(await router.observe("churn", options)).toEqual(next);
      await sendRequests("churn", endpoint_url, 20);
      expect((await router.figures("churn", options)).map((one) => one.deployment_id)).toContain("b");
      await expect(router.apply(route(3, { b: 50, c: 50 }), [b], options)).rejects.toThrow(
        ServiceRefusedError,
      );
    }),
  );

  it(
    "applies nothing to an endpoint without a listener",
    within(async ({ router, startServer }) => {
      const servers = [await startServer("a", 200)];
      await expect(router.apply(route(1, { a: 100 }), servers, options)).rejects.toThrow(
        ServiceUnavailableError,
      );
      await expect(router.figures("churn", options)).rejects.toThrow(ServiceUnavailableError);
    }),
  );

  it(
    "comes back after a crash and after closing, with its address and its last route",
    within(async ({ router, startServer, crash }) => {
      const { endpoint_url } = await router.open("churn", options);
      const wanted = route(3, { a: 100 });
      await router.apply(wanted, [await startServer("a", 200)], options);
      await crash("churn");
      expect(await router.observe("churn", options)).toBeNull();
      expect(await router.open("churn", options)).toEqual({ endpoint_url });
      expect(await router.observe("churn", options)).toEqual(wanted);
      await router.close("churn", options);
      await router.close("churn", options);
      expect(await router.observe("churn", options)).toBeNull();
      expect(await router.open("churn", options)).toEqual({ endpoint_url });
      expect(await router.observe("churn", options)).toEqual(wanted);
    }),
  );

  it(
    "answers an aborted call with a typed error",
    within(async ({ router, startServer }) => {
      await router.open("churn", options);
      const aborted = { signal: AbortSignal.abort() };
      await expect(router.observe("churn", aborted)).rejects.toThrow(ServiceUnavailableError);
      await expect(
        router.apply(route(1, { a: 100 }), [await startServer("a", 200)], aborted),
      ).rejects.toThrow(ServiceUnavailableError);
      expect(await router.observe("churn", options)).toEqual(route(0, {}));
    }),
  );
}
