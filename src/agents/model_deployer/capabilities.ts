import { DeploymentOrchestrator } from "./deployment_orchestrator.ts";
import type { Action } from "./domain/requests.ts";
import { EndpointManager } from "./endpoint_manager.ts";
import { advancePlanner } from "./nodes/advance.ts";
import { deployPlanner } from "./nodes/deploy.ts";
import { promotePlanner } from "./nodes/promote.ts";
import { registerPlanner } from "./nodes/register.ts";
import { removalPlanner } from "./nodes/removal.ts";
import { restartPlanner } from "./nodes/restart.ts";
import { rollbackPlanner } from "./nodes/rollback.ts";
import { rolloutControlPlanners } from "./nodes/rollout_control.ts";
import { Liveness } from "./liveness.ts";
import { OperationRunner, type Planner } from "./operation_runner.ts";
import { OutboxDelivery } from "./outbox_delivery.ts";
import type { Parts, Settings } from "./parts.ts";
import { Reconciler } from "./reconciler.ts";
import { RegistryManager } from "./registry_manager.ts";
import { ServerDraining } from "./server_draining.ts";
import { StepExecutor } from "./step_executor.ts";

/** What the graph and the worker do their work with. */
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
}

/** Capabilities at hand, or brought up when the first node needs them; a graph can be built and shown before that. */
export type CapabilitySource = Capabilities | (() => Promise<Capabilities>);

export async function capabilitiesOf(source: CapabilitySource): Promise<Capabilities> {
  return typeof source === "function" ? source() : source;
}

export function createCapabilities(parts: Parts, settings: Settings): Capabilities {
  const registry = new RegistryManager(parts.registry, parts.database);
  const orchestrator = new DeploymentOrchestrator(parts);
  const draining = new ServerDraining(parts);
  const liveness = new Liveness(settings.liveness);
  const endpoints = new EndpointManager(parts, liveness);
  const executor = new StepExecutor({ registry, orchestrator, endpoints, draining });
  return {
    parts,
    settings,
    endpoints,
    orchestrator,
    runner: new OperationRunner({ database: parts.database, executor, settings }),
    delivery: new OutboxDelivery(parts, registry),
    draining,
    reconciler: new Reconciler({ parts, settings, registry, executor, draining, liveness }),
    planners: {
      register: registerPlanner(parts),
      promote: promotePlanner(parts, endpoints),
      deploy: deployPlanner(parts, endpoints, settings),
      rollback: rollbackPlanner(parts, endpoints),
      remove: removalPlanner(parts, endpoints),
      restart: restartPlanner(parts),
      ...rolloutControlPlanners(parts, endpoints, settings),
      advance: advancePlanner(parts, endpoints, settings),
    },
  };
}
