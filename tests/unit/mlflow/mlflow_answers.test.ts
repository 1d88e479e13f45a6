import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigurationError, ServiceRefusedError } from "../../../src/agents/model_deployer/errors.ts";
import { readText } from "../../../src/mlops/mlflow/mlflow_answers.ts";
import { MLflowClient, type MLflowClientOptions } from "../../../src/mlops/mlflow/mlflow_client.ts";
import { cutAfter, json, StubServer, text } from "./stub_server.ts";

const signal = new AbortController().signal;
const RUN = {
  run: { info: { run_id: "r", status: "FINISHED", artifact_uri: "mlflow-artifacts:/0/r/artifacts" } },
};

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

describe("answers", () => {
  it("reads bare NaN and Infinity, and leaves the same words in texts alone", async () => {
    const metrics = '[{"key":"a NaN","value":NaN},{"key":"b","value":-Infinity},{"key":"c","value":0.5}]';
    const body = JSON.stringify(RUN).replace(/\}\}$/, `,"data":{"metrics":${metrics}}}}`);
    server.answerWith(text(body));
    expect((await newClient().getRun("r", signal)).data.metrics).toEqual([
      { key: "a NaN", value: "NaN" },
      { key: "b", value: "-Infinity" },
      { key: "c", value: 0.5 },
    ]);
  });

  it.each([
    ["a web page", text("<html>welcome</html>")],
    ["other JSON", json({ run: { info: {} } })],
    ["a redirection", text("elsewhere", 302)],
    ["a refusal of the host", text("Invalid Host header", 403)],
    ["the artifact router's refusal", json({ detail: "is a directory" }, 400)],
    ["a page that is not there", text("<h1>Not Found</h1>", 404)],
  ])("refuses %s", async (_what, answer) => {
    server.answerWith(answer);
    await expect(newClient().getRun("r", signal)).rejects.toThrow(ServiceRefusedError);
  });

  it("refuses an answer without an end", async () => {
    const megabyte = "x".repeat(1024 * 1024);
    server.answerWith((response) => {
      const write = (): void => {
        while (!response.destroyed && response.write(megabyte));
        if (!response.destroyed) response.once("drain", write);
      };
      write();
    });
    await expect(newClient().getRun("r", signal)).rejects.toThrow(ServiceRefusedError);
  });

  it("is not taken in by another server's health page", async () => {
    server.answerWith(text("all fine here"));
    await expect(newClient().health(signal)).rejects.toThrow(ServiceRefusedError);
  });

  it("starts a download again that broke off, and hands over only the whole", async () => {
    server.answerInTurn(cutAfter("01234", 10), text("0123456789"));
    const content = await newClient().readArtifact("a/b c", readText, signal);
    expect(content).toBe("0123456789");
    expect(server.requests.map((request) => request.url)).toEqual(
      Array.from({ length: 2 }, () => "/api/2.0/mlflow-artifacts/artifacts/a/b%20c"),
    );
  });
});

describe("credentials", () => {
  it.each([
    [{ kind: "basic", username: "ann", password: "s3cret" } as const, "Basic YW5uOnMzY3JldA=="],
    [{ kind: "bearer", token: "s3cret" } as const, "Bearer s3cret"],
  ])("are sent, and stand in no error", async (auth, header) => {
    server.answerWith(text("who are you", 401));
    const refused = await failureOf(newClient({ auth }).getRun("r", signal));
    expect(server.requests[0]?.authorization).toBe(header);
    server.answerWith((response) => response.destroy());
    const unavailable = await failureOf(newClient({ auth }).getRun("r", signal));
    for (const failure of [refused, unavailable]) {
      expect(inspect(failure, { depth: 10, showHidden: true })).not.toMatch(/s3cret|YW5uOnMzY3JldA/);
    }
  });

  it.each(["http://ann:s3cret@127.0.0.1:1", "http://ann:s3cret@", "sqlite:///s3cret.db", "s3cret"])(
    "in the tracking URI %s are refused and not repeated",
    (trackingUri) => {
      expect(() => newClient({ trackingUri })).toThrow(ConfigurationError);
      try {
        newClient({ trackingUri });
      } catch (error) {
        expect(inspect(error, { depth: 10 }).split("\n    at ")[0]).not.toContain("s3cret");
      }
    },
  );

  it("keeps a path in the tracking URI", async () => {
    server.answerWith(text("OK"));
    await newClient({ trackingUri: `${url}/ml/flow/` }).health(signal);
    expect(server.requests[0]?.url).toBe("/ml/flow/health");
  });
});
