import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import {
  NotFoundError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../../../src/agents/model_deployer/errors.ts";
import { readText } from "../../../../src/mlops/mlflow/mlflow_answers.ts";
import { blackHole, json, text } from "./stub_server.ts";
import { failureOf, RUN, signal, stubbedMLflow } from "./stubbed_mlflow.ts";

const VERSION = { name: "m", source: "runs:/r/model", run_id: "r", model_id: null, tags: {} };

const mlflow = stubbedMLflow();

describe("retries", () => {
  it("repeats a read until it is answered", async () => {
    mlflow.server.answerInTurn(text("busy", 503), (response) => response.destroy(), json(RUN));
    expect((await mlflow.newClient().getRun("r", signal)).info.run_id).toBe("r");
    expect(mlflow.server.requests).toHaveLength(3);
  });

  it("gives up after three tries with what was said last", async () => {
    mlflow.server.answerWith(json({ error_code: "TEMPORARILY_UNAVAILABLE", message: "later" }, 503));
    const failure = await failureOf(mlflow.newClient().getRun("r", signal));
    expect(failure).toBeInstanceOf(ServiceUnavailableError);
    expect(failure.message).toContain("later");
    expect(mlflow.server.requests).toHaveLength(3);
  });

  it("never repeats the creation of a version", async () => {
    mlflow.server.answerWith((response) => response.destroy());
    const failure = await failureOf(mlflow.newClient().createModelVersion(VERSION, signal));
    expect(failure).toBeInstanceOf(ServiceUnavailableError);
    expect(mlflow.server.requests).toHaveLength(1);
  });

  it("does not repeat what was refused", async () => {
    mlflow.server.answerWith(json({ error_code: "INVALID_PARAMETER_VALUE", message: "no" }, 400));
    await expect(mlflow.newClient().getRun("r", signal)).rejects.toThrow(ServiceRefusedError);
    expect(mlflow.server.requests).toHaveLength(1);
  });

  it("takes a registered model that is there already, and a deletion that has happened, for done", async () => {
    mlflow.server.answerWith(json({ error_code: "RESOURCE_ALREADY_EXISTS", message: "" }, 400));
    await mlflow.newClient().ensureRegisteredModel("m", signal);
    mlflow.server.answerWith(json({ error_code: "RESOURCE_DOES_NOT_EXIST", message: "" }, 404));
    await mlflow.newClient().deleteModelVersion("m", 1, signal);
  });
});

describe("time", () => {
  it("gives up on a server that never answers", async () => {
    mlflow.server.answerWith(blackHole);
    // Long enough for both tries to reach a server on a machine that is busy.
    const client = mlflow.newClient({ callTimeoutMs: 1_500, maximumTries: 2 });
    await expect(client.getRun("r", signal)).rejects.toThrow(ServiceUnavailableError);
    expect(mlflow.server.requests).toHaveLength(2);
  });

  it("gives up on a download that falls silent", async () => {
    mlflow.server.answerWith((response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("a piece");
    });
    const client = mlflow.newClient({ callTimeoutMs: 50, maximumTries: 1 });
    const read = client.readArtifact("a", readText, signal);
    await expect(read).rejects.toThrow(ServiceUnavailableError);
  });

  it("ends when its caller gives up, and does not hold that against the server", async () => {
    mlflow.server.answerWith(blackHole);
    const client = mlflow.newClient({ breaker: { consecutiveFailures: 1, halfOpenAfterMs: 60_000 } });
    const caller = new AbortController();
    const call = failureOf(client.getRun("r", caller.signal));
    await expect.poll(() => mlflow.server.requests.length).toBe(1);
    caller.abort();
    expect(await call).toBeInstanceOf(ServiceUnavailableError);
    mlflow.server.answerWith(json(RUN));
    await client.getRun("r", signal);
    expect(mlflow.server.requests).toHaveLength(2);
  });
});

describe("circuit breaker", () => {
  const breaker = { consecutiveFailures: 2, halfOpenAfterMs: 60_000 };

  it("stops asking after outages in a row, and names the last one", async () => {
    mlflow.server.answerWith(text("down", 500));
    const client = mlflow.newClient({ maximumTries: 2, breaker });
    await failureOf(client.getRun("r", signal));
    const failure = await failureOf(client.getRun("r", signal));
    expect(failure).toBeInstanceOf(ServiceUnavailableError);
    expect(inspect(failure.cause)).toContain("down");
    expect(mlflow.server.requests).toHaveLength(2);
  });

  it("does not count refusals", async () => {
    mlflow.server.answerWith(json({ error_code: "RESOURCE_DOES_NOT_EXIST", message: "no" }, 404));
    const client = mlflow.newClient({ breaker });
    for (let call = 1; call <= 5; call += 1) {
      await expect(client.getRun("r", signal)).rejects.toThrow(NotFoundError);
    }
    expect(mlflow.server.requests).toHaveLength(5);
  });

  it("asks again after a while", async () => {
    mlflow.server.answerInTurn(text("", 503), json(RUN));
    const client = mlflow.newClient({
      maximumTries: 1,
      breaker: { consecutiveFailures: 1, halfOpenAfterMs: 20 },
    });
    await failureOf(client.getRun("r", signal));
    await expect
      .poll(async () =>
        client.getRun("r", signal).then(
          () => "answered",
          () => "open",
        ),
      )
      .toBe("answered");
    expect(mlflow.server.requests).toHaveLength(2);
  });

  it("leaves the health check out", async () => {
    mlflow.server.answerWith(text("", 503));
    const client = mlflow.newClient({
      maximumTries: 1,
      breaker: { consecutiveFailures: 1, halfOpenAfterMs: 60_000 },
    });
    await failureOf(client.getRun("r", signal));
    await expect(client.health(signal)).rejects.toThrow(ServiceUnavailableError);
    mlflow.server.answerWith(text("OK"));
    await client.health(signal);
  });
});
