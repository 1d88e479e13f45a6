import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Route } from "../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import {
  ConflictError,
  EndpointCreationError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../../src/agents/model_deployer/errors.ts";
import { listProcesses } from "../../../src/platform/processes/managed_process.ts";
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

const within =
  (test: (fixture: EnvoyFixture) => Promise<void>, folderName = "home") =>
  async () => {
    const fixture = await makeEnvoyFixture(folderName);
    try {
      await test(fixture);
    } finally {
      await fixture.dispose();
    }
  };

/** Rejects while the port is taken. */
function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

describe("the life of an endpoint's Envoy", () => {
  it(
    "is one process, however many open it at once, and none after closing",
    within(async ({ router, secondRouter, runFolder, pid }) => {
      const other = secondRouter();
      const opened = await Promise.all([
        router.open("churn", options),
        other.open("churn", options),
        router.open("churn", options),
      ]);
      expect(new Set(opened.map(({ endpoint_url }) => endpoint_url)).size).toBe(1);
      const first = await pid("churn");
      await other.open("churn", options);
      expect(await pid("churn")).toBe(first);
      await other.close("churn", options);
      expect(await listProcesses(runFolder("churn"))).toEqual([]);
      expect(() => process.kill(first, 0)).toThrow("ESRCH");
      expect(await router.observe("churn", options)).toBeNull();
    }),
  );

  it(
    "serves again at the same address after kill -9, also for callers who were connected",
    within(async ({ router, startServer, predict, crash }) => {
      const { endpoint_url } = await router.open("churn", options);
      const server = await startServer("a");
      await router.apply(route(7, { a: 100 }), [server.address], options);
      expect((await predict(endpoint_url)).status).toBe(200);
      await crash("churn");
      await expect(router.apply(route(8, { a: 100 }), [server.address], options)).rejects.toThrow(
        ServiceUnavailableError,
      );
      await router.open("churn", options);
      expect(await predict(endpoint_url)).toMatchObject({ status: 200, body: "a", generation: 7 });
      expect(await router.apply(route(8, { a: 100 }), [server.address], options)).toEqual(
        route(8, { a: 100 }),
      );
    }),
  );

  it(
    "finds its port again at once after each of many kills",
    within(async ({ router, pid }) => {
      const { endpoint_url } = await router.open("churn", options);
      for (let kills = 0; kills < 10; kills += 1) {
        process.kill(await pid("churn"), "SIGKILL");
        await pollUntil(async () => (await router.observe("churn", options)) === null, {
          deadlineMs: 120_000,
          what: "end of the listener",
          intervalMs: 0,
        });
        expect(await router.open("churn", options)).toEqual({ endpoint_url });
      }
    }),
  );

  it(
    "names the port when another program has taken it, and leaves no process",
    within(async ({ router, crash, runFolder }) => {
      const { endpoint_url } = await router.open("churn", options);
      await crash("churn");
      const port = Number(new URL(endpoint_url).port);
      const squatter = await pollUntil(() => listen(port), { deadlineMs: 120_000, what: "free port" });
      try {
        const opening = router.open("churn", options);
        await expect(opening).rejects.toThrow(EndpointCreationError);
        await expect(opening).rejects.toThrow(`port ${port}`);
        expect(await listProcesses(runFolder("churn"))).toEqual([]);
      } finally {
        await new Promise((resolve) => squatter.close(resolve));
      }
      expect(await router.open("churn", options)).toEqual({ endpoint_url });
    }),
  );

  it(
    "keeps its files and its admin socket to the user, in a folder with a long path too",
    within(async ({ home, router }) => {
      await router.open("churn", options);
      expect((await router.observe("churn", options))?.generation).toBe(0);
      const root = join(home, "router", "churn");
      expect((await stat(root)).mode & 0o077).toBe(0);
      const listener = z.object({ admin_socket: z.string() });
      const { admin_socket } = listener.parse(
        JSON.parse(await readFile(join(root, "listener.json"), "utf8")),
      );
      expect(dirname(admin_socket)).not.toBe(root);
      expect((await stat(dirname(admin_socket))).mode & 0o077).toBe(0);
      await router.close("churn", options);
      await rm(dirname(admin_socket), { recursive: true });
      expect((await router.open("churn", options)).endpoint_url).toMatch(/^http:/);
      await rm(dirname(admin_socket), { recursive: true });
    }, "x".repeat(150)),
  );

  it(
    "keeps what is in force when Envoy rejects a change, also over a restart",
    within(async ({ home, router, startServer, predict, crash }) => {
      const { endpoint_url } = await router.open("churn", options);
      const server = await startServer("a");
      await router.apply(route(1, { a: 100 }), [server.address], options);
      const clustersFile = join(home, "router", "churn", "cds.json");
      const before = await readFile(clustersFile, "utf8");
      const odd = { deployment_id: "b", host: "::1%odd", port: 80 };
      const rejected = router.apply(route(2, { b: 100 }), [odd], options);
      await expect(rejected).rejects.toThrow(ServiceRefusedError);
      await expect(rejected).rejects.toThrow("malformed IP address");
      expect(await readFile(clustersFile, "utf8")).toBe(before);
      expect(await router.observe("churn", options)).toEqual(route(1, { a: 100 }));
      expect((await predict(endpoint_url)).body).toBe("a");
      await crash("churn");
      await router.open("churn", options);
      expect((await predict(endpoint_url)).body).toBe("a");
      await router.apply(route(2, { a: 100 }), [server.address], options);
    }),
  );

  it(
    "starts without a damaged file, at generation 0, and takes the route again",
    within(async ({ home, router, startServer, crash }) => {
      await router.open("churn", options);
      const server = await startServer("a");
      await router.apply(route(4, { a: 100 }), [server.address], options);
      await crash("churn");
      await writeFile(join(home, "router", "churn", "rds.json"), '{"version_in');
      await router.open("churn", options);
      expect(await router.observe("churn", options)).toEqual(route(0, {}));
      expect(await router.apply(route(4, { a: 100 }), [server.address], options)).toEqual(
        route(4, { a: 100 }),
      );
    }),
  );

  it(
    "follows a server that was started anew at another port, and only if it is there",
    within(async ({ router, startServer, predict }) => {
      const { endpoint_url } = await router.open("churn", options);
      const first = await startServer("a");
      await router.apply(route(1, { a: 100 }), [first.address], options);
      expect((await predict(endpoint_url)).status).toBe(200);
      const second = await startServer("a");
      await first.close();
      await router.apply(route(1, { a: 100 }), [second.address], options);
      expect((await predict(endpoint_url)).status).toBe(200);
      expect(second.received).toHaveLength(1);
      const stale = router.apply(route(1, { a: 100 }), [first.address], options);
      await expect(stale).rejects.toThrow(ServiceUnavailableError);
      expect((await predict(endpoint_url)).status).toBe(200);
      const [figures] = await router.figures("churn", options);
      expect(figures).toMatchObject({ requests: 3, errors: 0 });
    }),
  );

  it(
    "puts no older generation over a newer one, however many apply at once",
    within(async ({ router, secondRouter, startServer }) => {
      await router.open("churn", options);
      const server = await startServer("a");
      const routers = [router, secondRouter(), secondRouter()];
      for (let round = 0; round < 20; round += 1) {
        const generations = [1, 2, 3, 4, 5, 6].map((step) => round * 6 + step);
        const outcomes = await Promise.allSettled(
          generations.map((generation, index) => {
            const chosen = routers[index % routers.length] ?? router;
            return chosen.apply(route(generation, { a: 100 }), [server.address], options);
          }),
        );
        for (const [index, outcome] of outcomes.entries()) {
          if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(ConflictError);
          else expect(outcome.value.generation).toBeGreaterThanOrEqual(generations[index] ?? 0);
        }
        expect(await router.observe("churn", options)).toEqual(route(round * 6 + 6, { a: 100 }));
      }
    }),
  );
});
