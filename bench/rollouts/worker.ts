import { createCapabilities } from "../../src/agents/model_deployer/capabilities.ts";
import { LOCAL_ENGINE } from "../../src/agents/model_deployer/domain/servers/engines.ts";
import { STANDARD_LIVENESS } from "../../src/agents/model_deployer/domain/servers/liveness.ts";
import { createModelDeployerGraph } from "../../src/agents/model_deployer/graph.ts";
import type { Parts, Settings } from "../../src/agents/model_deployer/ports/parts.ts";
import type { TrafficRouter } from "../../src/agents/model_deployer/ports/traffic_router_port.ts";
import type { createDatabase } from "../../src/database/index.ts";
import {
  InMemoryEpisodicMemory,
  InMemoryProceduralMemory,
  InMemoryWorkingMemory,
} from "../../src/testing/in_memory/memories.ts";
import { InMemoryModelPackager } from "../../src/testing/in_memory/model_packager.ts";
import { InMemoryModelRegistry } from "../../src/testing/in_memory/model_registry.ts";
import { InMemoryPredictionLogs } from "../../src/testing/in_memory/prediction_logs.ts";
import { Worker } from "../../src/worker/worker.ts";
import { PretendRouter, PretendServer } from "./pretend.ts";

const nothing = () => Promise.resolve();

/** A real database; all else answers at once, and keeps nothing. */
export function pretendParts(database: ReturnType<typeof createDatabase>, router: TrafficRouter): Parts {
  return {
    database,
    registry: Object.assign(new InMemoryModelRegistry({ runs: [] }), { projectStage: nothing }),
    packager: new InMemoryModelPackager(),
    server: new PretendServer(),
    router,
    predictionLogs: new InMemoryPredictionLogs(),
    workingMemory: new InMemoryWorkingMemory(),
    episodicMemory: Object.assign(new InMemoryEpisodicMemory(), { store: nothing }),
    proceduralMemory: Object.assign(new InMemoryProceduralMemory(), { recordUse: nothing }),
  };
}

export const SETTINGS: Settings = {
  requested_by: "bench",
  lease_seconds: 30,
  patience_seconds: 20,
  retention_seconds: 3600,
  answer_seconds: 15,
  approval_wait_seconds: 14 * 24 * 3600,
  long_work_seconds: 3600,
  reconcile_seconds: 3600,
  liveness: STANDARD_LIVENESS,
  engines: LOCAL_ENGINE,
  default_effects: "live",
};

/**
 * A worker over a real database with pretended parts, so that what the process holds is the worker's.
 *
 * @param onMove gets how long each move took, in ms: a step, a completion or a rollback, from its graph's start to its end
 */
export function workerOver(
  database: ReturnType<typeof createDatabase>,
  moving: number,
  onMove: (ms: number) => void,
): Worker {
  const capabilities = createCapabilities(pretendParts(database, new PretendRouter(moving)), SETTINGS);
  const graph = createModelDeployerGraph(capabilities);
  const invoke = graph.invoke.bind(graph);
  const timed: typeof graph.invoke = async (...given) => {
    const begun = performance.now();
    const state = await invoke(...given);
    onMove(performance.now() - begun);
    return state;
  };
  return new Worker(capabilities, Object.assign(graph, { invoke: timed }));
}
