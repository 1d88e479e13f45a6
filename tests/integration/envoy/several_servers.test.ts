import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { beforeAll, describe, expect, it } from "vitest";
import type { Route } from "../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { makeEnvoyFixture, prepareEnvoy, type EnvoyFixture } from "./fixture.ts";

beforeAll(prepareEnvoy, 20 * 60_000);

const options = { signal: new AbortController().signal };
const route: Route = {
  endpoint_name: "churn",
  generation: 1,
  weights: { model: 100 },
  mirror_deployment_id: null,
};

const within = (test: (fixture: EnvoyFixture, url: string) => Promise<void>) => async () => {
  const fixture = await makeEnvoyFixture();
  try {
    const { endpoint_url } = await fixture.router.open("churn", options);
    await test(fixture, endpoint_url);
  } finally {
    await fixture.dispose();
  }
};

/** Answers after some milliseconds, from a process of its own, which is killed by the first prediction after any message. */
const slowServer = `
  let isDoomed = false;
  process.on("message", () => (isDoomed = true));
  const answer = (incoming, outgoing) => {
    incoming.resume();
    const isPrediction = incoming.url !== "/readyz";
    if (isPrediction) process.send("asked");
    if (isDoomed && isPrediction) process.kill(process.pid, "SIGKILL");
    setTimeout(() => outgoing.end("answered"), isPrediction ? 5 : 0);
  };
  const server = require("node:http").createServer(answer);
  server.listen(Number(process.argv[1]), "127.0.0.1", () => process.send(server.address().port));
`;

async function startProcess(port = 0): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, ["-e", slowServer, String(port)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  return {
    child,
    port: await new Promise((resolve) => child.once("message", (bound) => resolve(Number(bound)))),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

describe("a deployment with several servers", { timeout: 600_000 }, () => {
  it(
    "is shared out between them, and loses no request when one of them ends",
    within(async ({ router, startServer, predict }, url) => {
      const servers = await Promise.all([1, 2, 3].map(() => startServer("model")));
      await router.apply(
        route,
        servers.map(({ address }) => address),
        options,
      );
      const asked = (index: number) =>
        servers[index]?.received.filter(({ url: path }) => path !== "/readyz").length ?? 0;
      const send = async (count: number) => {
        const statuses = [];
        for (let sent = 0; sent < count; sent += 1) statuses.push((await predict(url)).status);
        return statuses.filter((status) => status !== 200);
      };
      expect(await send(90)).toEqual([]);
      expect([asked(0), asked(1), asked(2)].every((count) => count > 0)).toBe(true);
      // Nothing is under way on it: whatever comes meets a closed port, or a connection that is just being closed.
      await servers[1]?.close();
      expect(await send(600)).toEqual([]);
      const [figures] = await router.figures("churn", options);
      expect(figures?.requests).toBe(690);
      expect(figures?.errors).toBeLessThanOrEqual(1);
    }),
  );

  it(
    "loses no request when one of them is killed with requests in its hands, and counts those against itself",
    within(async ({ router, predict }, url) => {
      const servers = await Promise.all([1, 2, 3].map(() => startProcess()));
      try {
        const addresses = servers.map(({ port }) => ({ deployment_id: "model", host: "127.0.0.1", port }));
        await router.apply(route, addresses, options);
        const statuses: number[] = [];
        let isOver = false;
        const call = async () => {
          while (!isOver) statuses.push((await predict(url)).status);
        };
        const load = Promise.all(Array.from({ length: 16 }, call));
        const more = async (count: number) => {
          const enough = statuses.length + count;
          const isEnough = () => statuses.length >= enough;
          await pollUntil(isEnough, { deadlineMs: 120_000, what: `${count} more answers` });
        };
        for (const [index, { child, port }] of servers.entries()) {
          await more(200);
          child.send("die with the next request in your hands");
          await ended(child);
          await more(400);
          const again = await startProcess(port);
          servers[index] = again;
          // In rotation again: who is killed next has a server beside it that is known to be well.
          await once(again.child, "message");
        }
        isOver = true;
        await load;
        expect(statuses.filter((status) => status !== 200)).toEqual([]);
        const figures = (await router.figures("churn", options))[0];
        expect(figures?.requests).toBe(statuses.length);
        expect(figures?.errors).toBeGreaterThanOrEqual(servers.length);
        expect(figures?.resets).toBe(figures?.errors);
      } finally {
        for (const { child } of servers) child.kill("SIGKILL");
        await Promise.all(servers.map(({ child }) => ended(child)));
      }
    }),
  );

  it(
    "lets a request that ends whatever answers it end two of three servers, and no third",
    within(async ({ router, startServer, predict }, url) => {
      const deadly = { reset: (body: string) => body === "deadly" };
      const servers = await Promise.all([1, 2, 3].map(() => startServer("model", deadly)));
      await router.apply(
        route,
        servers.map(({ address }) => address),
        options,
      );
      expect((await predict(url, {}, "deadly")).status).toBe(503);
      const met = servers.filter(({ received }) => received.some(({ body }) => body === "deadly"));
      expect(met).toHaveLength(2);
      expect((await predict(url)).status).toBe(200);
      expect(await router.figures("churn", options)).toMatchObject([{ requests: 2, errors: 1, resets: 1 }]);
    }),
  );

  it(
    "answers by its other servers while one breaks every request off, and is charged with each of them",
    within(async ({ router, startServer, predict }, url) => {
      const broken = await startServer("model", { reset: true });
      const sound = await startServer("model");
      await router.apply(route, [broken.address, sound.address], options);
      const statuses: number[] = [];
      const brokenOff = () => broken.received.filter(({ url: path }) => path !== "/readyz").length;
      // Out after each of them, it is asked again as soon as it says that it is ready.
      await pollUntil(
        async () => {
          statuses.push((await predict(url)).status);
          return brokenOff() >= 3;
        },
        { deadlineMs: 120_000, what: "three requests to the broken server" },
      );
      expect(statuses.filter((status) => status !== 200)).toEqual([]);
      const counts = { requests: statuses.length, errors: brokenOff(), resets: brokenOff() };
      expect(await router.figures("churn", options)).toMatchObject([counts]);
    }),
  );

  it(
    "gets and loses servers without another generation, and keeps its counters",
    within(async ({ router, startServer, predict }, url) => {
      const one = await startServer("model");
      const two = await startServer("model");
      await router.apply(route, [one.address], options);
      expect((await predict(url)).status).toBe(200);
      expect(one.received.map(({ url: path }) => path)).not.toContain("/readyz");
      await router.apply(route, [one.address, two.address], options);
      await pollUntil(
        async () => {
          await predict(url);
          return two.received.some(({ url: path }) => path !== "/readyz");
        },
        { deadlineMs: 120_000, what: "a request to the second server" },
      );
      await router.apply(route, [two.address], options);
      await one.close();
      const before = (await router.figures("churn", options))[0]?.requests ?? 0;
      for (let sent = 0; sent < 20; sent += 1) expect((await predict(url)).status).toBe(200);
      expect(await router.figures("churn", options)).toMatchObject([{ requests: before + 20, errors: 0 }]);
      expect(await router.observe("churn", options)).toEqual(route);
    }),
  );
});
