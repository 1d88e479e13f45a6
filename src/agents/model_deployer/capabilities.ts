import { DeploymentOrchestrator } from "./effects/deployment_orchestrator.ts";
import type { Action } from "./domain/requests.ts";
import { EndpointManager } from "./effects/endpoint_manager.ts";
import { advancePlanner } from "./actions/advance/gather.ts";
import { deployPlanner } from "./actions/deploy/gather.ts";
import { promotePlanner } from "./actions/promote/gather.ts";
import { registerPlanner } from "./actions/register/gather.ts";
import { removalPlanner } from "./actions/remove/gather.ts";
import { restartPlanner } from "./actions/restart/gather.ts";
import { rollbackPlanner } from "./actions/rollback/gather.ts";
import { rolloutControlPlanners } from "./actions/control_rollout/gather.ts";
import { updatePlanner } from "./actions/update/gather.ts";
import { Liveness } from "./effects/remembered_misses.ts";
import { OperationRunner } from "./operations/operation_runner.ts";
import { type Planner } from "./actions/planner.ts";
import { OutboxDelivery } from "./operations/delivery/outbox_delivery.ts";
import type { Parts, Settings } from "./ports/parts.ts";
import { Preparation } from "./operations/preparation/preparation.ts";
import { Reconciler } from "./reconciliation/reconciler.ts";
import { RegistryManager } from "./effects/registry_manager.ts";
import { ServerDraining } from "./effects/server_draining.ts";
import { StepExecutor } from "./operations/steps/step_executor.ts";

/** All that the graph and the worker work with. */
export interface Capabilities {
  parts: Parts;
  settings: Settings;
  endpoints: EndpointManager;
  orchestrator: DeploymentOrchestrator;
  runner: OperationRunner;
  delivery: OutboxDelivery;
  draining: ServerDraining;
  reconciler: Reconciler;
  planners: Readonly<Record<Action, Planner>>;
  /** A monotonic clock in milliseconds, for waits inside this process. */
  now: () => number;
}

/** Capabilities at hand, or brought up when the first node needs them; a graph can be built and shown before that. */
export type CapabilitySource = Capabilities | (() => Promise<Capabilities>);

export async function capabilitiesOf(source: CapabilitySource): Promise<Capabilities> {
  return typeof source === "function" ? source() : source;
}

export function createCapabilities(
  parts: Parts,
  settings: Settings,
  now: () => number = () => performance.now(),
): Capabilities {
  const registry = new RegistryManager(parts.registry, parts.database);
  const orchestrator = new DeploymentOrchestrator(parts);
  const draining = new ServerDraining(parts);
  const liveness = new Liveness(settings.liveness);
  const endpoints = new EndpointManager(parts, liveness, now);
  const executor = new StepExecutor({ registry, orchestrator, endpoints, draining });
  return {
    now,
    parts,
    settings,
    endpoints,
    orchestrator,
    runner: new OperationRunner({
      database: parts.database,
      executor,
      preparation: new Preparation({ orchestrator, packager: parts.packager }),
      settings,
    }),
    delivery: new OutboxDelivery(parts, registry),
    draining,
    reconciler: new Reconciler({ parts, settings, registry, executor, draining, liveness, now }),
    planners: {
      register: registerPlanner(parts),
      promote: promotePlanner(parts, endpoints),
      deploy: deployPlanner(parts, endpoints, settings),
      rollback: rollbackPlanner(parts, endpoints, settings),
      remove: removalPlanner(parts, endpoints),
      restart: restartPlanner(parts),
      update: updatePlanner(parts),
      ...rolloutControlPlanners(parts, endpoints, settings),
      advance: advancePlanner(parts, endpoints, settings),
    },
  };
}
