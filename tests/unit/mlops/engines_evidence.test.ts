import { expect, test } from "vitest";
import { aDeployment } from "../../support/given/given_facts.ts";
import { enginesFrom } from "../../support/given/given_engine_rows.ts";
import { LOCAL_AND_CLUSTER } from "../../support/given/given_engines.ts";
import { ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import type { EngineKind } from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import { ByEngine, EnginesOfDeployments } from "../../../src/mlops/engines/by_engine.ts";
import { RowServersOfEngines, UsageOfEngines } from "../../../src/mlops/engines/evidence_of_engines.ts";
import { ServersOfEngines } from "../../../src/mlops/engines/servers_of_engines.ts";
import { errorOf, InMemoryModelPackager, InMemoryModelServer } from "../../../src/testing/index.ts";

const options = { signal: AbortSignal.timeout(600_000) };
const engineOf = (id: string): EngineKind => (id.startsWith("there") ? "kubernetes" : "local");
const packager = new InMemoryModelPackager();
const tag = "e2i_classifier:v1";
const artifact = { model_path: "/artifact", preprocessing_path: null, artifact_digest: "a".repeat(64) };
await packager.packageModel({ bento_tag: tag, model_name: "m", version: 1, ...artifact }, options);
const resources = {
  ...{ replicas: 1, cpu_limit: "1", memory_limit: "1Gi" },
  autoscaling: { min: 1, max: 1, target_cpu: 70 },
};

function given() {
  const [local, cluster] = [new InMemoryModelServer(packager), new InMemoryModelServer(packager)];
  const engines = enginesFrom(LOCAL_AND_CLUSTER, engineOf);
  const silent: string[] = [];
  const both = new Map<EngineKind, InMemoryModelServer>([
    ["local", local],
    ["kubernetes", cluster],
  ]);
  const onSilent = (engine: EngineKind, { message }: Error) => void silent.push(`${engine}: ${message}`);
  const servers = new ServersOfEngines(new ByEngine(both, engines), { onSilent });
  const alone = new Map([["local" as const, local]]);
  const usage = new UsageOfEngines(new ByEngine(alone, engines));
  const rows = new RowServersOfEngines(new ByEngine(alone, engines));
  const start = (deployment_id: string) =>
    servers.start({ deployment_id, bento_tag: tag, resources }, options);
  return { local, cluster, servers, usage, rows, silent, start };
}

test("what an engine does not measure is not known, and what it does is told", async () => {
  const { usage, start } = given();
  await start("here");
  await start("there");
  expect(await usage.usage("here", options)).toHaveLength(1);
  expect(await usage.usage("there", options)).toBeNull();
  expect(await usage.limits("here", options)).toMatchObject({ enforced: false });
  expect(await usage.limits("there", options)).toBeNull();
  expect(await usage.cores(options)).toBe(16);
});

test("rows are kept and sent where the deployment's engine takes them, and elsewhere nothing is asked", async () => {
  const { rows, local, start } = given();
  await start("here");
  await start("there");
  const settings = { sample: 1, most: 10, hidden: [], hashed: [], on_errors: "tell" as const };
  await rows.keepRows("here", settings, options);
  await rows.keepRows("there", settings, options);
  expect([...local.keeping.keys()]).toEqual(["here"]);
  expect([await rows.takesRows("here"), await rows.takesRows("there")]).toEqual([true, false]);
  expect(await rows.predictRow("here", { path: "/predict", input: {} }, options)).toMatchObject({
    status: 200,
  });
  const refused = await errorOf(rows.predictRow("there", { path: "/predict", input: {} }, options));
  expect(refused).toMatchObject({ code: "server_not_ready" });
  expect(refused.message).toContain("there runs on kubernetes");
});

test("an engine that gives no answer hides none of the others' servers, and is named", async () => {
  const { servers, local, cluster, silent, start } = given();
  await start("here");
  await start("there");
  expect((await servers.list()).sort()).toEqual(["here", "there"]);
  const isAway = async () => {
    throw new ServiceUnavailableError("kubernetes", "the API server does not answer");
  };
  cluster.list = isAway;
  expect(await servers.list()).toEqual(["here"]);
  expect(silent).toEqual(["kubernetes: the API server does not answer"]);
  local.list = isAway;
  expect(await errorOf(servers.list())).toMatchObject({ code: "service_unavailable" });
});

test("no server is handed over to a deployment of another engine", async () => {
  const { servers, local, cluster, start } = given();
  await start("here");
  expect(await servers.handOver("here", { deployment_id: "there_too", bento_tag: tag }, options)).toBe(false);
  expect(await local.list()).toEqual(["here"]);
  expect(await cluster.list()).toEqual([]);
  expect(await servers.handOver("here", { deployment_id: "here_too", bento_tag: tag }, options)).toBe(true);
  expect(await local.list()).toEqual(["here_too"]);
});

test("a deployment's engine is read once, and that of one which has no row yet each time", async () => {
  const read: string[] = [];
  const rows = new Map<string, EngineKind | null>();
  const engines = new EnginesOfDeployments(LOCAL_AND_CLUSTER, {
    get: async (deployment_id) => {
      read.push(deployment_id);
      const engine = rows.get(deployment_id);
      return engine === undefined ? null : aDeployment(1, { deployment_id, engine });
    },
  });
  expect(await engines.of("d1")).toBe("local");
  rows.set("d1", "kubernetes").set("d2", null);
  expect([await engines.of("d1"), await engines.of("d1"), await engines.of("d2")]).toEqual([
    "kubernetes",
    "kubernetes",
    "local",
  ]);
  expect(read).toEqual(["d1", "d1", "d2"]);
});
