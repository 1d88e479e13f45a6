import { expect, test } from "vitest";
import { waitAfter } from "../../../src/agents/model_deployer/domain/servers/server_restarts.ts";
import { EndpointCreationError } from "../../../src/agents/model_deployer/errors.ts";
import { createTestDeployer, inProduction, type TestDeployer } from "../../../src/testing/index.ts";

const signal = new AbortController().signal;

/** The dead server's state, and the number of attempts by then. */
async function reconcile({ capabilities, wire }: TestDeployer, deployment: string) {
  const { findings } = await capabilities.reconciler.reconcile({ signal });
  const finding = findings.find(({ part, subject }) => part === "servers" && subject === deployment);
  return { why: finding?.why ?? null, tries: wire.calls.filter((call) => call === "server.start").length };
}

async function givenDeadServer() {
  const deployer = await createTestDeployer();
  const { deployment } = await inProduction(deployer, "run1");
  await deployer.worker.tick();
  deployer.server.crash(deployment);
  deployer.wire.fail("server.start", { error: new EndpointCreationError("no memory is left") });
  return { deployer, deployment };
}

test("a server that cannot be started is tried later each time, and the report says when", async () => {
  const { deployer, deployment } = await givenDeadServer();
  const first = await reconcile(deployer, deployment);
  expect(first.why).toMatch(/could not be started once \(no memory is left\); next try at 20\d\d-/);
  const soon = await reconcile(deployer, deployment);
  expect(soon).toEqual(first);
  deployer.passTime({ seconds: 2 });
  const second = await reconcile(deployer, deployment);
  expect(second.tries).toBe(first.tries + 1);
  expect(second.why).toContain("2 times in a row");
  deployer.passTime({ seconds: 3 });
  expect((await reconcile(deployer, deployment)).tries).toBe(second.tries);
  deployer.passTime({ seconds: 1 });
  expect((await reconcile(deployer, deployment)).tries).toBe(second.tries + 1);
});

test("one that answers again, whoever has started it, is tried at once when it dies the next time", async () => {
  const { deployer, deployment } = await givenDeadServer();
  await reconcile(deployer, deployment);
  deployer.wire.mend();
  deployer.passTime({ seconds: 2 });
  expect((await reconcile(deployer, deployment)).why).toBeNull();
  deployer.server.crash(deployment);
  deployer.wire.fail("server.start", { error: new EndpointCreationError("no memory is left") });
  expect((await reconcile(deployer, deployment)).why).toContain("could not be started once");
});

test("the wait doubles from half a minute up to a quarter of an hour, and from 2 to 30 s for what has traffic", () => {
  const failures = [1, 2, 3, 4, 5, 6, 7, 60];
  expect(failures.map((count) => waitAfter(count, false))).toEqual([30, 60, 120, 240, 480, 900, 900, 900]);
  expect(failures.map((count) => waitAfter(count, true))).toEqual([2, 4, 8, 16, 30, 30, 30, 30]);
});

test("a worker tries a server that callers wait for when its wait is over, without another round being due", async () => {
  const { deployer, deployment } = await givenDeadServer();
  deployer.passTime({ seconds: 3600 });
  await deployer.worker.tick();
  const tries = () => deployer.wire.calls.filter((call) => call === "server.start").length;
  const before = tries();
  await deployer.worker.tick();
  expect(tries()).toBe(before);
  deployer.wire.mend();
  deployer.passTime({ seconds: 3 });
  await deployer.worker.tick();
  expect(tries()).toBe(before + 1);
  expect((await reconcile(deployer, deployment)).why).toBeNull();
});
