import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { ConfigurationError, ServiceRefusedError } from "../../../../src/agents/model_deployer/errors.ts";
import { readText } from "../../../../src/mlops/mlflow/mlflow_answers.ts";
import { cutAfter, json, text } from "./stub_server.ts";
import { failureOf, RUN, signal, stubbedMLflow } from "./stubbed_mlflow.ts";

const mlflow = stubbedMLflow();

describe("answers", () => {
  it("reads bare NaN and Infinity, and leaves the same words in texts alone", async () => {
    const metrics = '[{"key":"a NaN","value":NaN},{"key":"b","value":-Infinity},{"key":"c","value":0.5}]';
    const body = JSON.stringify(RUN).replace(/\}\}$/, `,"data":{"metrics":${metrics}}}}`);
    mlflow.server.answerWith(text(body));
    expect((await mlflow.newClient().getRun("r", signal)).data.metrics).toEqual([
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
    mlflow.server.answerWith(answer);
    await expect(mlflow.newClient().getRun("r", signal)).rejects.toThrow(ServiceRefusedError);
  });

  it("refuses an answer without an end", async () => {
    const megabyte = "x".repeat(1024 * 1024);
    mlflow.server.answerWith((response) => {
      const write = (): void => {
        while (!response.destroyed && response.write(megabyte));
        if (!response.destroyed) response.once("drain", write);
      };
      write();
    });
    await expect(mlflow.newClient().getRun("r", signal)).rejects.toThrow(ServiceRefusedError);
  });

  it("is not taken in by another server's health page", async () => {
    mlflow.server.answerWith(text("all fine here"));
    await expect(mlflow.newClient().health(signal)).rejects.toThrow(ServiceRefusedError);
  });

  it("starts a download again that broke off, and hands over only the whole", async () => {
    mlflow.server.answerInTurn(cutAfter("01234", 10), text("0123456789"));
    const content = await mlflow.newClient().readArtifact("a/b c", readText, signal);
    expect(content).toBe("0123456789");
    expect(mlflow.server.requests.map((request) => request.url)).toEqual(
      Array.from({ length: 2 }, () => "/api/2.0/mlflow-artifacts/artifacts/a/b%20c"),
    );
  });
});

describe("credentials", () => {
  it.each([
    [{ kind: "basic", username: "ann", password: "s3cret" } as const, "Basic YW5uOnMzY3JldA=="],
    [{ kind: "bearer", token: "s3cret" } as const, "Bearer s3cret"],
  ])("are sent, and stand in no error", async (auth, header) => {
    mlflow.server.answerWith(text("who are you", 401));
    const refused = await failureOf(mlflow.newClient({ auth }).getRun("r", signal));
    expect(mlflow.server.requests[0]?.authorization).toBe(header);
    mlflow.server.answerWith((response) => response.destroy());
    const unavailable = await failureOf(mlflow.newClient({ auth }).getRun("r", signal));
    for (const failure of [refused, unavailable]) {
      expect(inspect(failure, { depth: 10, showHidden: true })).not.toMatch(/s3cret|YW5uOnMzY3JldA/);
    }
  });

  it.each(["http://ann:s3cret@127.0.0.1:1", "http://ann:s3cret@", "sqlite:///s3cret.db", "s3cret"])(
    "in the tracking URI %s are refused and not repeated",
    (trackingUri) => {
      expect(() => mlflow.newClient({ trackingUri })).toThrow(ConfigurationError);
      try {
        mlflow.newClient({ trackingUri });
      } catch (error) {
        expect(inspect(error, { depth: 10 }).split("\n    at ")[0]).not.toContain("s3cret");
      }
    },
  );

  it("keeps a path in the tracking URI", async () => {
    mlflow.server.answerWith(text("OK"));
    await mlflow.newClient({ trackingUri: `${mlflow.url}/ml/flow/` }).health(signal);
    expect(mlflow.server.requests[0]?.url).toBe("/ml/flow/health");
  });
});
