import type { Parts } from "../../../src/agents/model_deployer/ports/parts.ts";
import type { InMemoryTrafficRouter } from "../../../src/testing/index.ts";
import { openCloud } from "../../support/bentocloud/cloud_server.ts";
import { openClusterWithGateway } from "../../support/kubernetes/cluster_with_gateway.ts";

export const engines = ["kubernetes", "bentocloud"] as const;
export type EngineName = (typeof engines)[number];

/** What one call of the platform meets instead of its answer. */
export type EngineFault = { status: number; body?: string } | { lost: "call" | "answer" };

/** A stand-in of a platform that serves models, and what of the deployer speaks to it. */
export interface EngineWorld {
  /** Of one process; each has connections of its own. */
  parts(): Pick<Parts, "server" | "router">;
  sendTraffic(endpointName: string, count: number): void | Promise<void>;
  /** Called when a call arrives, before it meets a fault. */
  whenCalled(listener: () => void): void;
  meet(fault: EngineFault, times: number): void;
  mend(): void;
  calls(): number;
  /** A sentence for each thing on the platform that belongs to no server. */
  strays(): Promise<string[]>;
  close(): Promise<void>;
}

/** @param router of this machine, for an engine that has none of its own */
export function openEngine(name: EngineName, router: InMemoryTrafficRouter): Promise<EngineWorld> {
  return name === "kubernetes" ? openKubernetes() : openBentoCloud(router);
}

async function openKubernetes(): Promise<EngineWorld> {
  const here = await openClusterWithGateway("any");
  const { cluster } = here;
  return {
    parts: () => ({ server: here.another(), router: here.anotherRouter() }),
    sendTraffic: async (endpointName, count) => {
      await here.send(endpointName, count);
    },
    whenCalled: (listener) => {
      cluster.onCall = listener;
    },
    meet: (fault, times) => cluster.meet(/./, fault, times),
    mend: () => cluster.forgetFaults(),
    calls: () => cluster.calls.length,
    strays: async () => {
      const owners = cluster.objects.list("deployments").map(({ metadata }) => metadata.name);
      const left = [
        "services",
        "networkpolicies",
        "poddisruptionbudgets",
        "horizontalpodautoscalers",
      ].flatMap((plural) =>
        cluster.objects
          .list(plural)
          .filter(({ metadata }) => metadata.labels?.["model-deployer/server"] !== undefined),
      );
      return left
        .filter(({ metadata }) => !owners.includes(metadata.name))
        .map(({ kind, metadata }) => `${kind} ${metadata.name} belongs to no Deployment`);
    },
    close: () => here.close(),
  };
}

async function openBentoCloud(router: InMemoryTrafficRouter): Promise<EngineWorld> {
  const here = await openCloud("any");
  const { cloud } = here;
  return {
    parts: () => ({ server: here.another({ concurrency: 8 }), router }),
    sendTraffic: (endpointName, count) => router.sendTraffic(endpointName, count),
    whenCalled: (listener) => {
      cloud.onCall = listener;
    },
    meet: (fault, times) => cloud.meet(/./, fault, times),
    mend: () => cloud.forgetFaults(),
    calls: () => cloud.calls.length,
    strays: () => Promise.resolve([]),
    close: () => here.close(),
  };
}
