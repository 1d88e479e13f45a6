import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../../../src/agents/model_deployer/errors.ts";
import { ClusterClient } from "../../../../src/mlops/kubernetes/api/cluster_client.ts";
import { StandInCluster } from "../../../support/kubernetes/api_server/stand_in_cluster.ts";

const signal = new AbortController().signal;
const base = "/api/v1/namespaces/models/configmaps";
const schema = z.object({
  metadata: z.object({ name: z.string(), uid: z.string(), resourceVersion: z.string() }),
  data: z.record(z.string(), z.string()).default({}),
});
const configMap = (name: string, more: object = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data: { a: "1" },
  ...more,
});

let cluster: StandInCluster;
let client: ClusterClient;
let tokens: string[];

beforeEach(async () => {
  cluster = await StandInCluster.start(() => ({ becomes: "unready" }));
  tokens = [];
  client = new ClusterClient({
    server: cluster.address,
    certificateAuthority: null,
    serverName: null,
    clientCertificate: null,
    namespace: null,
    bearerToken: ({ renewed }) => {
      if (!renewed && tokens.length > 0) return Promise.resolve(tokens[0] ?? "");
      return Promise.resolve(cluster.token);
    },
  });
});

afterEach(async () => {
  await client.close();
  await cluster.close();
});

describe("what an object's name says", () => {
  test("an object is made once: the second time tells that it is there", async () => {
    const made = await client.create(base, configMap("one"), schema, signal);
    expect(made?.data).toEqual({ a: "1" });
    expect(await client.create(base, configMap("one"), schema, signal)).toBeNull();
    expect(await client.get(`${base}/one`, schema, signal)).toEqual(made);
    expect(await client.get(`${base}/two`, schema, signal)).toBeNull();
  });

  test("a change of what was changed since is none", async () => {
    const made = await client.create(base, configMap("one"), schema, signal);
    const { resourceVersion } = made?.metadata ?? { resourceVersion: "" };
    const change = (b: string) => ({ metadata: { resourceVersion }, data: { b } });
    expect((await client.merge(`${base}/one`, change("2"), schema, signal))?.data).toEqual({
      a: "1",
      b: "2",
    });
    expect(await client.merge(`${base}/one`, change("3"), schema, signal)).toBeNull();
    expect(await client.merge(`${base}/gone`, change("3"), schema, signal)).toBeNull();
  });

  test("a deletion leaves another object of the same name", async () => {
    const made = await client.create(base, configMap("one"), schema, signal);
    await client.remove(`${base}/one`, "00000000-0000-0000-0000-000000000000", signal);
    expect(await client.get(`${base}/one`, schema, signal)).toEqual(made);
    await client.remove(`${base}/one`, made?.metadata.uid ?? "", signal);
    await client.remove(`${base}/one`, made?.metadata.uid ?? "", signal);
    expect(await client.get(`${base}/one`, schema, signal)).toBeNull();
  });
});

test.each([
  [configMap("one", { datas: {} }), /strict decoding error: unknown field "datas"/],
  [configMap("One"), /metadata\.name: Invalid value: "One"/],
])("what the server refuses is told in its words", async (body, words) => {
  const attempt = client.create(base, body, schema, signal);
  await expect(attempt).rejects.toThrow(ServiceRefusedError);
  await expect(attempt).rejects.toThrow(words);
});

test("a missing right is told with the way to all rights", async () => {
  cluster.denied.add("create configmaps");
  const attempt = client.create(base, configMap("one"), schema, signal);
  await expect(attempt).rejects.toThrow(
    /cannot create resource "configmaps".*model-deployer manifests` prints/,
  );
});

test.each([{ status: 429 }, { status: 500 }, { status: 503 }, { lost: "call" }, { lost: "answer" }] as const)(
  "%j is tried again, and makes one object",
  async (fault) => {
    cluster.meet(/^POST/, fault, 2);
    const made = await client.create(base, configMap("one"), schema, signal);
    // An answer that was lost leaves the object, which the next try finds.
    expect(made === null).toBe("lost" in fault && fault.lost === "answer");
    expect(cluster.objects.list("configmaps")).toHaveLength(1);
    expect(cluster.calls).toHaveLength(3);
  },
);

test("a server that goes on failing is unavailable, with its status", async () => {
  cluster.meet(/^GET/, { status: 503 }, 3);
  const attempt = client.get(`${base}/one`, schema, signal);
  await expect(attempt).rejects.toThrow(ServiceUnavailableError);
  await expect(attempt).rejects.toThrow(/answered with 503: a fault of the test/);
});

test("a token that has expired is renewed once, and then the credentials are refused", async () => {
  tokens = ["expired"];
  expect(await client.get(`${base}/one`, schema, signal)).toBeNull();
  tokens = ["expired"];
  cluster.meet(/^GET/, { status: 401 }, 2);
  await expect(client.get(`${base}/one`, schema, signal)).rejects.toThrow(/log in again, or renew the token/);
});

test("a long list comes page by page, and anew where its rest was forgotten", async () => {
  const labels = { of: "many" };
  const names = Array.from({ length: 1001 }, (_, index) => `one-${index}`);
  for (const name of names)
    cluster.objects.create("configmaps", configMap(name, { metadata: { name, labels } }));
  cluster.objects.create("configmaps", configMap("other"));
  const list = async () =>
    (await client.list(base, "of=many", schema, signal)).map(({ metadata }) => metadata.name);
  expect(await list()).toEqual(names);
  expect(cluster.calls).toHaveLength(3);
  cluster.onPage = () => {
    cluster.onPage = () => undefined;
    cluster.objects.create("configmaps", configMap("late", { metadata: { name: "late", labels } }));
  };
  expect(await list()).toEqual([...names, "late"]);
});

test("a page of HTML is no API server", async () => {
  cluster.meet(/^GET/, { status: 200, body: "<html>log in</html>" });
  const attempt = client.get(`${base}/one`, schema, signal);
  await expect(attempt).rejects.toThrow(/is the address that of a Kubernetes API server\?/);
});
