import { inSpan } from "../../../base/tracing.ts";
import type { DeploymentOrchestrator } from "../../effects/deployment_orchestrator.ts";
import type { Change } from "../../domain/changes.ts";
import type { Step } from "../../domain/plan.ts";
import { typedFileError } from "../../file_errors.ts";
import type { EndpointManager } from "../../effects/endpoint_manager.ts";
import type { LongCallOptions } from "../../ports/call_options.ts";
import type { RegistryManager } from "../../effects/registry_manager.ts";
import type { ServerDraining } from "../../effects/server_draining.ts";

/** A step's result, and the changes that are applied together with its record. */
export interface StepOutcome {
  result: Record<string, unknown>;
  changes: Change[];
}

/** Carries out one step: each observes first and acts only where needed, so that a repetition is harmless. */
export class StepExecutor {
  readonly #registry: RegistryManager;
  readonly #orchestrator: DeploymentOrchestrator;
  readonly #endpoints: EndpointManager;
  readonly #draining: ServerDraining;

  constructor(parts: {
    registry: RegistryManager;
    orchestrator: DeploymentOrchestrator;
    endpoints: EndpointManager;
    draining: ServerDraining;
  }) {
    this.#registry = parts.registry;
    this.#orchestrator = parts.orchestrator;
    this.#endpoints = parts.endpoints;
    this.#draining = parts.draining;
  }

  async execute(step: Step, options: LongCallOptions): Promise<StepOutcome> {
    return inSpan(step.step, {}, () =>
      this.#execute(step, options).catch((error: unknown) => {
        throw typedFileError(error);
      }),
    );
  }

  async #execute(step: Step, options: LongCallOptions): Promise<StepOutcome> {
    switch (step.step) {
      case "open_endpoint": {
        const opened = await this.#endpoints.open(step, options);
        const { step: _kind, ...endpoint } = step;
        return { result: opened, changes: [{ change: "open_endpoint", ...endpoint, ...opened }] };
      }
      case "want_route": {
        const { step: _kind, ...route } = step;
        return {
          result: { generation: step.expected_generation + 1 },
          changes: [{ change: "want_route", ...route }],
        };
      }
      case "apply_route": {
        const { endpoint_name, generation } = step;
        const result = await this.#endpoints.apply(step, options);
        return { result, changes: [{ change: "observe_route", endpoint_name, generation }] };
      }
      default:
        return { result: await this.#effect(step, options), changes: [] };
    }
  }

  /** Of the steps that change nothing in the database beside their own record. */
  async #effect(
    step: Exclude<Step, { step: "open_endpoint" | "want_route" | "apply_route" }>,
    options: LongCallOptions,
  ): Promise<StepOutcome["result"]> {
    switch (step.step) {
      case "register_in_registry":
        return this.#registry.register(step, options);
      case "pin_artifact":
        return this.#registry.pin(step, options);
      case "package_model":
        return this.#orchestrator.package(step, options);
      case "start_server":
        return this.#orchestrator.start(step, options);
      case "stop_server":
        return this.#orchestrator.stop(step, options);
      case "give_back_server":
        return this.#orchestrator.giveBack(step, options);
      case "drain_server":
        return this.#draining.drainOne(step.deployment_id, options);
      case "replay_rows":
        return this.#endpoints.rows.check(step, options);
      case "close_endpoint":
        return this.#endpoints.close(step, options);
      default:
        return step satisfies never;
    }
  }
}
