import { expect, test } from "vitest";
import { ConflictError, ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import { Circuit } from "../../../src/platform/work/circuit.ts";

const out = () => Promise.reject(new ServiceUnavailableError("redis", "no answer"));
const answer = () => Promise.resolve("here");
const open = { code: "service_unavailable", retryable: true, details: { service: "redis", breaker: "open" } };

async function fail(circuit: Circuit, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    await expect(circuit.run("ask", undefined, out)).rejects.toThrow("no answer");
  }
}

test("after outages in a row the service is not asked any more, and the last one is told", async () => {
  const circuit = new Circuit({ service: "redis", consecutiveFailures: 3 });
  await fail(circuit, 3);
  await expect(circuit.run("ask", undefined, answer)).rejects.toMatchObject(open);
  await expect(circuit.run("ask", undefined, answer)).rejects.toThrow("no answer");
});

test("one answer in between begins the count anew", async () => {
  const circuit = new Circuit({ service: "redis", consecutiveFailures: 3 });
  await fail(circuit, 2);
  await circuit.run("ask", undefined, answer);
  await fail(circuit, 2);
  expect(await circuit.run("ask", undefined, answer)).toBe("here");
});

test("a refusal is an answer, and so is whatever the owner does not call an outage", async () => {
  const circuit = new Circuit({ service: "redis", consecutiveFailures: 1 });
  const refuse = () => Promise.reject(new ConflictError("taken"));
  await expect(circuit.run("ask", undefined, refuse)).rejects.toThrow("taken");
  const lenient = new Circuit({ service: "redis", consecutiveFailures: 1, isOutage: () => false });
  await fail(lenient, 3);
  expect(await circuit.run("ask", undefined, answer)).toBe("here");
});

test("a caller who gives up at once is no sign of an outage", async () => {
  const circuit = new Circuit({ service: "redis", consecutiveFailures: 1 });
  await expect(circuit.run("ask", AbortSignal.abort(), out)).rejects.toThrow("no answer");
  expect(await circuit.run("ask", undefined, answer)).toBe("here");
});

test("after a while one call may try, and its answer closes the circuit", async () => {
  const circuit = new Circuit({ service: "redis", consecutiveFailures: 1, halfOpenAfterMs: 20 });
  await fail(circuit, 1);
  await expect.poll(() => circuit.run("ask", undefined, answer).catch(() => "open")).toBe("here");
});
