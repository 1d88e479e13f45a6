import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ArtifactRejectedError } from "../../../../src/agents/model_deployer/errors.ts";
import { isSafeFileName, parseArtifactUri } from "../../../../src/mlops/mlflow/artifacts/artifact_uri.ts";
import { MLflowClient } from "../../../../src/mlops/mlflow/mlflow_client.ts";
import { MLflowRegistry } from "../../../../src/mlops/mlflow/mlflow_registry.ts";
import { StubServer } from "./stub_server.ts";

const signal = new AbortController().signal;
const runId = fc.stringMatching(/^[0-9a-f]{32}$/);
const segment = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_ -]{0,20}$/);
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join("/"));
const modelName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,30}$/);

const wellFormed = fc.oneof(
  fc.tuple(runId, path).map(([run, rest]) => `runs:/${run}/${rest}`),
  fc
    .tuple(modelName, fc.integer({ min: 1, max: 1e6 }))
    .map(([name, version]) => `models:/${name}/${version}`),
  runId.map((id) => `models:/m-${id}`),
  path.map((rest) => `mlflow-artifacts:/${rest}`),
);

const poison = fc.constantFrom(
  "..",
  "#",
  "?",
  "%2e",
  "%2E%2E",
  "%",
  "\\",
  "@",
  "\n",
  "\r",
  "\u0000",
  "\u2028",
  "\u007f",
);
const poisoned = fc
  .tuple(wellFormed, poison, fc.nat())
  .map(([uri, bad, at]) => uri.slice(0, at % (uri.length + 1)) + bad + uri.slice(at % (uri.length + 1)));
const otherScheme = fc
  .tuple(
    fc.constantFrom("s3:", "file:", "http:", "https:", "dbfs:", "gs:", "RUNS:", "ftp:", "data:", ""),
    path,
  )
  .map(([scheme, rest]) => `${scheme}/${rest}`);
const withHost = fc.tuple(modelName, path).map(([host, rest]) => `mlflow-artifacts://${host}:80/${rest}`);
const malformed = fc.oneof(
  poisoned,
  otherScheme,
  withHost,
  wellFormed.map((uri) => uri.replace(":/", ":")),
  wellFormed.map((uri) => uri.replace(":/", ":///")),
  wellFormed.map((uri) => `${uri}//x`),
  wellFormed.map((uri) => `${uri}/./x`),
  fc.constantFrom(
    "runs:/",
    "models:/",
    "mlflow-artifacts:/",
    "runs:/abc",
    "models:/m",
    "models:/m/0",
    "models:/m/01",
  ),
  fc.constantFrom(
    "models:/m/latest",
    "models:/m/Production",
    "models:/m@champion",
    "models:/m/1/x",
    "",
    ":",
    "/",
  ),
  fc.constant(`mlflow-artifacts:/${"x".repeat(3000)}`),
);

describe("an artifact URI", () => {
  it.each([
    ["runs:/abc/model", { kind: "run", run_id: "abc", path: "model" }],
    ["runs:/abc/a/b c.pkl", { kind: "run", run_id: "abc", path: "a/b c.pkl" }],
    ["models:/churn/12", { kind: "model_version", name: "churn", version: 12 }],
    ["models:/m-0a1b", { kind: "logged_model", model_id: "m-0a1b" }],
    ["models:/m-0a1b/3", { kind: "model_version", name: "m-0a1b", version: 3 }],
    ["mlflow-artifacts:/0/abc/artifacts/", { kind: "stored", path: "0/abc/artifacts" }],
  ])("%s is understood", (uri, expected) => {
    expect(parseArtifactUri(uri)).toEqual(expected);
  });

  it("that is well formed is understood", () => {
    fc.assert(
      fc.property(wellFormed, (uri) => {
        expect(() => parseArtifactUri(uri)).not.toThrow();
      }),
    );
  });

  it("of another scheme is refused with the scheme and what is allowed", () => {
    const parse = (): unknown => parseArtifactUri("s3://bucket/key");
    expect(parse).toThrow(ArtifactRejectedError);
    expect(parse).toThrow(/"s3".*runs:\/.*models:\/.*mlflow-artifacts:\//);
  });

  it("whatever it is, ends in something safe or in one line that says why not", () => {
    const anything = fc.oneof(fc.string({ unit: "binary" }), malformed, wellFormed);
    fc.assert(
      fc.property(anything, (uri) => {
        try {
          const parsed = parseArtifactUri(uri);
          const inside = parsed.kind === "stored" || parsed.kind === "run" ? parsed.path.split("/") : [];
          for (const name of inside) expect(isSafeFileName(name)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(ArtifactRejectedError);
          expect(String(error)).not.toMatch(/[\n\r\0]/);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it("with a password is refused without showing it", () => {
    const parse = (): unknown => parseArtifactUri("mlflow-artifacts://ann:s3cret@host/path");
    expect(parse).toThrow(ArtifactRejectedError);
    expect(parse).not.toThrow(/s3cret/);
  });
});

describe("a malformed artifact URI", () => {
  let server: StubServer;
  let client: MLflowClient;
  let registry: MLflowRegistry;

  beforeAll(async () => {
    server = new StubServer();
    client = new MLflowClient({ trackingUri: await server.start(), maximumTries: 1 });
    registry = new MLflowRegistry({ client, artifactDirectory: join(tmpdir(), "never-made") });
  });
  afterAll(async () => {
    await client.close();
    await server.stop();
  });

  it("makes no outside call", async () => {
    await fc.assert(
      fc.asyncProperty(malformed, async (uri) => {
        const input = { model_name: "m", run_id: "r", source: uri, request_key: "k" };
        await expect(registry.fetchArtifact(uri, { signal })).rejects.toThrow(ArtifactRejectedError);
        await expect(registry.registerVersion(input, { signal })).rejects.toThrow(ArtifactRejectedError);
        expect(server.requests).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });
});
