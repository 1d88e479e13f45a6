import { expect, test } from "vitest";
import { ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import { createTestDeployer } from "../../../src/testing/index.ts";
import type { TickReport } from "../../../src/worker/tick_report.ts";
import { Worker } from "../../../src/worker/worker.ts";

async function run(presence: { seen(): Promise<void>; ended(): Promise<void> }): Promise<TickReport[]> {
  const { capabilities, graph } = await createTestDeployer();
  const ended = new AbortController();
  const reports: TickReport[] = [];
  await new Worker(capabilities, graph, presence).run({
    signal: ended.signal,
    idleMs: 1,
    onTick: (report) => {
      reports.push(report);
      ended.abort();
    },
  });
  return reports;
}

test("whoever runs a worker, it tells that it is there, and at its end that it has gone", async () => {
  const told: string[] = [];
  await run({
    seen: async () => void told.push("seen"),
    ended: async () => void told.push("ended"),
  });
  expect(told).toEqual(["seen", "ended"]);
});

test("a worker that cannot tell so goes on with its work, and says it", async () => {
  const fail = () => Promise.reject(new ServiceUnavailableError("postgres", "Postgres does not answer"));
  const reports = await run({ seen: fail, ended: fail });
  expect(reports.flatMap((report) => report.problems)).toEqual([
    "presence: Postgres does not answer",
    "presence: Postgres does not answer",
  ]);
});
