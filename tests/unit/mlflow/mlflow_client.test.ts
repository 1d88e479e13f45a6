import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  NotFoundError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../../src/agents/model_deployer/errors.ts";
import { readText } from "../../../src/mlops/mlflow/mlflow_answers.ts";
import { MLflowClient, type MLflowClientOptions } from "../../../src/mlops/mlflow/mlflow_client.ts";
import { blackHole, json, StubServer, text } from "./stub_server.ts";

const signal = new AbortController().signal;
const RUN = {
  run: { info: { run_id: "r", status: "FINISHED", artifact_uri: "mlflow-artifacts:/0/r/artifacts" } },
};
const VERSION = { name: "m", source: "runs:/r/model", run_id: "r", model_id: null, tags: {} };

let server: StubServer;
let url: string;
const clients: MLflowClient[] = [];

function newClient(options: Partial<MLflowClientOptions> = {}): MLflowClient {
  const client = new MLflowClient({ trackingUri: url, ...options });
  clients.push(client);
  return client;
}

beforeEach(async () => {
  server = new StubServer();
  url = await server.start();
});

afterEach(async () => {
  await server.stop();
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

async function failureOf(call: Promise<unknown>): Promise<Error> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  return expect.unreachable("the call should have failed");
}

describe("retries", () => {
  it("repeats a read until it is answered", async () => {
    server.answerInTurn(text("busy", 503), (response) => response.destroy(), json(RUN));
    expect((await newClient().getRun("r", signal)).info.run_id).toBe("r");
    expect(server.requests).toHaveLength(3);
  });

  it("gives up after three tries with what was said last", async () => {
    server.answerWith(json({ error_code: "TEMPORARILY_UNAVAILABLE", message: "later" }, 503));
    const failure = await failureOf(newClient().getRun("r", signal));
    expect(failure).toBeInstanceOf(ServiceUnavailableError);
    expect(failure.message).toContain("later");
    expect(server.requests).toHaveLength(3);
  });

  it("never repeats the creation of a version", async () => {
    server.answerWith((response) => response.destroy());
    const failure = await failureOf(newClient().createModelVersion(VERSION, signal));
    expect(failure).toBeInstanceOf(ServiceUnavailableError);
    expect(server.requests).toHaveLength(1);
  });

  it("does not repeat what was refused", async () => {
    server.answerWith(json({ error_code: "INVALID_PARAMETER_VALUE", message: "no" }, 400));
    await expect(newClient().getRun("r", signal)).rejects.toThrow(ServiceRefusedError);
    expect(server.requests).toHaveLength(1);
  });

  it("takes a registered model that is there already, and a deletion that has happened, for done", async () => {
    server.answerWith(json({ error_code: "RESOURCE_ALREADY_EXISTS", message: "" }, 400));
    await newClient().ensureRegisteredModel("m", signal);
    server.answerWith(json({ error_code: "RESOURCE_DOES_NOT_EXIST", message: "" }, 404));
    await newClient().deleteModelVersion("m", 1, signal);
  });
});

describe("time", () => {
  it("gives up on a server that never answers", async () => {
    server.answerWith(blackHole);
    const client = newClient({ callTimeoutMs: 50, maximumTries: 2 });
    await expect(client.getRun("r", signal)).rejects.toThrow(ServiceUnavailableError);
    expect(server.requests).toHaveLength(2);
  });

  it("gives up on a download that falls silent", async () => {
    server.answerWith((response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("a piece");
    });
    const client = newClient({ callTimeoutMs: 50, maximumTries: 1 });
    const read = client.readArtifact("a", readText, signal);
    await expect(read).rejects.toThrow(ServiceUnavailableError);
  });

  it("ends when its caller gives up, and does not hold that against the server", async () => {
    server.answerWith(blackHole);
    const client = newClient({ breaker: { consecutiveFailures: 1, halfOpenAfterMs: 60_000 } });
    const caller = new AbortController();
    const call = failureOf(client.getRun("r", caller.signal));
    await expect.poll(() => server.requests.length).toBe(1);
    caller.abort();
    expect(await call).toBeInstanceOf(ServiceUnavailableError);
    server.answerWith(json(RUN));
    await client.getRun("r", signal);
    expect(server.requests).toHaveLength(2);
  });
});

describe("circuit breaker", () => {
  const breaker = { consecutiveFailures: 2, halfOpenAfterMs: 60_000 };

  it("stops asking after outages in a row, and names the last one", async () => {
    server.answerWith(text("down", 500));
    const client = newClient({ maximumTries: 2, breaker });
    await failureOf(client.getRun("r", signal));
    const failure = await failureOf(client.getRun("r", signal));
    expect(failure).toBeInstanceOf(ServiceUnavailableError);
    expect(inspect(failure.cause)).toContain("down");
    expect(server.requests).toHaveLength(2);
  });

  it("does not count refusals", async () => {
    server.answerWith(json({ error_code: "RESOURCE_DOES_NOT_EXIST", message: "no" }, 404));
    const client = newClient({ breaker });
    for (let call = 1; call <= 5; call += 1) {
      await expect(client.getRun("r", signal)).rejects.toThrow(NotFoundError);
    }
    expect(server.requests).toHaveLength(5);
  });

  it("asks again after a while", async () => {
    server.answerInTurn(text("", 503), json(RUN));
    const client = newClient({ maximumTries: 1, breaker: { consecutiveFailures: 1, halfOpenAfterMs: 20 } });
    await failureOf(client.getRun("r", signal));
    await expect
      .poll(async () =>
        client.getRun("r", signal).then(
          () => "answered",
          () => "open",
        ),
      )
      .toBe("answered");
    expect(server.requests).toHaveLength(2);
  });

  it("leaves the health check out", async () => {
    server.answerWith(text("", 503));
    const client = newClient({
      maximumTries: 1,
      breaker: { consecutiveFailures: 1, halfOpenAfterMs: 60_000 },
    });
    await failureOf(client.getRun("r", signal));
    await expect(client.health(signal)).rejects.toThrow(ServiceUnavailableError);
    server.answerWith(text("OK"));
    await client.health(signal);
  });
});
