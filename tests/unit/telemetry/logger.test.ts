import { expect, test } from "vitest";
import { z } from "zod";
import { createLogger } from "../../../src/telemetry/logger.ts";

function lines(level: Parameters<typeof createLogger>[0]) {
  const written: string[] = [];
  const logger = createLogger(level, { write: (line: string) => void written.push(line) });
  return {
    logger,
    parsed: () => written.map((line) => z.record(z.string(), z.json()).parse(JSON.parse(line))),
  };
}

test("a line is JSON with its level and ids", () => {
  const { logger, parsed } = lines("info");
  logger.info({ operation_id: "op_1", rollout_id: "rollout_1" }, "looked");
  expect(parsed()).toMatchObject([
    {
      level: "info",
      operation_id: "op_1",
      rollout_id: "rollout_1",
      msg: "looked",
      service: "model-deployer",
    },
  ]);
});

test("secrets are in no line, however deep they lie", () => {
  const { logger, parsed } = lines("debug");
  const address = "postgres://ana:hunter2@db:5432/e2i";
  const cause = { Authorization: "Bearer hunter2", nested: [{ api_key: "hunter2", url: address }] };
  logger.warn({ token: "hunter2", password: "hunter2", cause, kept: "a@b" }, `cannot reach ${address}`);
  const [line] = parsed();
  expect(JSON.stringify(line)).not.toContain("hunter2");
  expect(line).toMatchObject({
    kept: "a@b",
    msg: "cannot reach postgres://[redacted]@db:5432/e2i",
    cause: { nested: [{ url: "postgres://[redacted]@db:5432/e2i" }] },
  });
});

test("nothing is written where nobody asked for it", () => {
  const { logger, parsed } = lines("silent");
  logger.error({}, "loud");
  expect(parsed()).toEqual([]);
});
