import {
  type EngineKind,
  engineKindSchema,
  type EnginesByStage,
  type InstalledEngines,
} from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import type { LongCallOptions } from "../../../src/agents/model_deployer/ports/call_options.ts";
import type {
  EndpointIngress,
  IngressPolicies,
} from "../../../src/agents/model_deployer/ports/ingress_ports.ts";
import type {
  ModelPackager,
  PackageInput,
} from "../../../src/agents/model_deployer/ports/model_packager_port.ts";
import type { ModelServer } from "../../../src/agents/model_deployer/ports/model_server_port.ts";
import {
  assembleDeployer,
  createTestDeployer,
  EXPERIMENT,
  InMemoryModelServer,
  InMemoryTrafficRouter,
  type TestDeployer,
  Wire,
} from "../../../src/testing/index.ts";
import { routersOf } from "../../../src/wiring/engines/engine_routers.ts";
import type { Served } from "../../../src/wiring/engines/served_by.ts";
import { ofEngines } from "../../../src/wiring/engines/several_engines.ts";
import { EnforcedPolicies } from "./enforced_policies.ts";

/** This machine as ever, and a cluster whose Services the worker's own router reaches. */
export const LOCAL_AND_CLUSTER: InstalledEngines = {
  usual: "local",
  routers: { local: "worker", kubernetes: "worker" },
};

/** As with `MODEL_DEPLOYER_ROUTER=cluster`. */
export const CLUSTER_ROUTES_ITSELF: InstalledEngines = {
  usual: "local",
  routers: { local: "worker", kubernetes: "cluster" },
};

export interface GivenEngines {
  given: TestDeployer;
  /** Servers of this machine. */
  local: InMemoryModelServer;
  /** Servers of a cluster, in memory; nothing of it is used where others were handed in. */
  cluster: InMemoryModelServer;
  /** The cluster's own router; `given.router` is the one beside the worker. */
  inCluster: InMemoryTrafficRouter;
  /** Bentos that were prepared for the cluster. */
  images: string[];
  /** As a person sets the policy of the experiment. */
  serveOn: (engines: EnginesByStage) => Promise<void>;
  /** Another process over the same database, servers and routers, with these engines. */
  another: (installed: InstalledEngines) => TestDeployer;
}

/** A deployer over several engines, put together as a real one; whatever is not handed in is in memory. */
export async function givenEngines(
  installed: InstalledEngines = LOCAL_AND_CLUSTER,
  handedIn: { cluster?: ModelServer } = {},
): Promise<GivenEngines> {
  const base = await createTestDeployer();
  const { database, packager, server: local, predictionLogs } = base;
  const cluster = new InMemoryModelServer(packager);
  const inCluster = new InMemoryTrafficRouter();
  const beside = new GuardedRouter(database.ingressPolicies);
  const images: string[] = [];
  const served: Record<EngineKind, Served> = {
    local: { server: local, packager, predictionLogs, serverUsage: local, rowServers: local },
    kubernetes: {
      server: handedIn.cluster ?? cluster,
      packager: new Images(packager, images),
      predictionLogs,
    },
    bentocloud: { server: new InMemoryModelServer(packager), packager, predictionLogs },
  };
  const another = (engines: InstalledEngines): TestDeployer => {
    const present = engineKindSchema.options.filter((kind) => engines.routers[kind] !== undefined);
    const { kubernetes: clusterRouter = "worker" } = engines.routers;
    const parts = {
      ...base,
      ...ofEngines(new Map(present.map((kind) => [kind, served[kind]])), packager, engines, database),
      ...routersOf(beside, clusterRouter === "worker" ? null : inCluster, engines, database),
    };
    const wire = new Wire();
    const now = () => base.clock.read / 1000;
    const settings = { reconcile_seconds: 30, engines };
    return { ...base, router: beside, wire, ...assembleDeployer(parts, { wire, settings, now }) };
  };
  const serveOn = async (engines: EnginesByStage) => {
    const { policy_id: _, ...policy } = await database.experiments.getGatePolicy(EXPERIMENT);
    await database.experiments.setGatePolicy(EXPERIMENT, { ...policy, engines, reason: "more room" }, "ana");
  };
  return { given: another(installed), local, cluster, inCluster, images, serveOn, another };
}

/** A packager of a cluster: the store is shared, and a bento is ready when its image is there. */
class Images implements ModelPackager {
  readonly #store: ModelPackager;
  readonly #images: string[];

  constructor(store: ModelPackager, images: string[]) {
    this.#store = store;
    this.#images = images;
  }

  packageModel(input: PackageInput, options: LongCallOptions) {
    return this.#store.packageModel(input, options);
  }

  findPackage(bentoTag: string) {
    return this.#store.findPackage(bentoTag);
  }

  listPackages(bentoTag: string) {
    return this.#store.listPackages(bentoTag);
  }

  async isServable(bentoTag: string): Promise<boolean> {
    return this.#images.includes(bentoTag);
  }

  async prepareServing(bentoTag: string): Promise<void> {
    this.#images.push(bentoTag);
  }
}

class GuardedRouter extends InMemoryTrafficRouter implements EndpointIngress {
  readonly #policies: EnforcedPolicies;

  constructor(policies: Pick<IngressPolicies, "wanted">) {
    super();
    this.#policies = new EnforcedPolicies(policies);
  }

  guards(): Promise<boolean> {
    return this.#policies.guards();
  }

  enforce(endpointName: string): Promise<number> {
    return this.#policies.enforce(endpointName);
  }

  enforced(endpointName: string): Promise<number> {
    return this.#policies.enforced(endpointName);
  }
}
