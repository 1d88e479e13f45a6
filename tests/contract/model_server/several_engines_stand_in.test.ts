import type { EngineKind } from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import type { ModelServer } from "../../../src/agents/model_deployer/ports/model_server_port.ts";
import { ByEngine } from "../../../src/mlops/engines/by_engine.ts";
import { ServersOfEngines } from "../../../src/mlops/engines/servers_of_engines.ts";
import {
  describeModelServer,
  type ServerSubject,
} from "../../../src/testing/contracts/model_server_contract.ts";
import { InMemoryModelPackager } from "../../../src/testing/in_memory/model_packager.ts";
import { InMemoryModelServer } from "../../../src/testing/in_memory/model_server.ts";
import { enginesFrom } from "../../support/given/given_engine_rows.ts";
import { LOCAL_AND_CLUSTER } from "../../support/given/given_engines.ts";
import { openCluster } from "../../support/kubernetes/cluster_with_servers.ts";

const tags = ["e2i_classifier:v1", "e2i_regressor:v1", "e2i_broken:v1", "e2i_changed:v1"] as const;
const broken = "ModuleNotFoundError: No module named 'scorecard_rules'";
const log = ["Traceback (most recent call last):", '  File "model.py", line 1, in <module>', broken].join(
  "\n",
);

async function openBoth() {
  const packager = new InMemoryModelPackager();
  for (const bento_tag of tags) {
    const artifact = { model_path: "/artifact", preprocessing_path: null, artifact_digest: "a".repeat(64) };
    const input = { bento_tag, model_name: "m", version: 1, ...artifact };
    await packager.packageModel(input, { signal: AbortSignal.timeout(120_000) });
  }
  const local = new InMemoryModelServer(packager);
  local.breakModel(tags[2], broken);
  local.breakModel(tags[3], "its model has the digest b, and was built from a");
  const here = await openCluster(tags);
  here.behaviours.set(tags[2], { becomes: "crashing", reason: "Error", exitCode: 1, log });
  return { local, here };
}

async function subjectOn(engine: EngineKind): Promise<ServerSubject> {
  const { local, here } = await openBoth();
  const servers = new Map<EngineKind, ModelServer>([
    ["local", local],
    ["kubernetes", here.server],
  ]);
  const byEngine = new ByEngine(
    servers,
    enginesFrom(LOCAL_AND_CLUSTER, () => engine),
  );
  const kill = async (name: string) => {
    if (engine === "local") return local.crash(name);
    const owned = here.cluster.objects
      .list("deployments")
      .filter(({ metadata }) => metadata.annotations?.["model-deployer/deployment-id"] === name);
    for (const { metadata } of owned) here.cluster.node.kill(here.cluster.node.pods(metadata.name));
  };
  return {
    server: new ServersOfEngines(byEngine, {
      onSilent: (_engine, error) => {
        throw error;
      },
    }),
    bento_tags: [tags[0], tags[1]],
    broken_tag: tags[2],
    broken_reason: /ModuleNotFoundError: No module named 'scorecard_rules'/,
    changed_tag: tags[3],
    kill,
    close: () => here.close(),
  };
}

describeModelServer("several engines, deployments of this machine", () => subjectOn("local"));
describeModelServer("several engines, deployments of a cluster", () => subjectOn("kubernetes"), {
  looksAfterNumbers: true,
});
