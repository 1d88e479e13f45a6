import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { runCli } from "../../../src/cli/program.ts";
import { caughtStreams } from "../../support/given/caught_streams.ts";

const KUBERNETES = {
  MODEL_DEPLOYER_ENGINE: "kubernetes",
  MODEL_DEPLOYER_KUBERNETES_NAMESPACE: "models",
  MODEL_DEPLOYER_IMAGE_REPOSITORY: "registry.example.org/models",
  MODEL_DEPLOYER_IMAGE_BASE: `registry.example.org/python@sha256:${"4f".repeat(32)}`,
  MODEL_DEPLOYER_ROUTER: "worker",
};
const IMAGE = ["--image", "registry.example.org/model-deployer:1"];

/** Asks nobody: neither a deployer nor a database is opened. */
async function manifests(words: string[], environment: Record<string, string> = KUBERNETES) {
  const { streams, printed } = caughtStreams();
  const code = await runCli(["manifests", ...IMAGE, ...words], {
    streams,
    environment,
    signal: new AbortController().signal,
    openDeployer: async () => expect.fail("a deployer was opened"),
    openObserver: async () => expect.fail("the database was asked"),
  });
  return { code, ...printed };
}

async function newFolder() {
  const folder = await mkdtemp(join(tmpdir(), "chart-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const kindsIn = (yaml: string) => parseAllDocuments(yaml).flatMap((one) => String(one.get("kind")));

test("prints the objects, for kubectl, with a ServiceMonitor where one is asked for", async () => {
  const plain = await manifests([]);
  expect(plain).toMatchObject({ code: 0, err: "" });
  expect(kindsIn(plain.out)).toEqual(expect.arrayContaining(["ServiceAccount", "Role", "StatefulSet"]));
  expect(kindsIn(plain.out)).not.toContain("ServiceMonitor");
  expect(kindsIn((await manifests(["--service-monitor"])).out)).toContain("ServiceMonitor");
});

test("writes the same as a chart into a new folder, and overwrites none", async () => {
  const chart = join(await newFolder(), "deep", "chart");
  const { code, out } = await manifests(["--chart", chart]);
  expect(code).toBe(0);
  expect(out).toContain(`helm install model-deployer ${chart} --namespace models`);
  expect((await readdir(chart)).sort()).toEqual(["Chart.yaml", "templates", "values.yaml"]);
  const before = await readFile(join(chart, "values.yaml"), "utf8");
  const again = await manifests(["--chart", chart]);
  expect(again.code).not.toBe(0);
  expect(again.err).toContain("is not empty");
  expect(await readFile(join(chart, "values.yaml"), "utf8")).toBe(before);
});

test("a home that serves by itself needs no manifests, and is told so", async () => {
  const { code, err } = await manifests([], {});
  expect(code).not.toBe(0);
  expect(err).toContain("needs no manifests");
});
