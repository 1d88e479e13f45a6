import type { NextStep } from "../../../base/next_step.ts";
import { decideRollback } from "./decide.ts";
import type { ReturnFacts, RollbackFacts } from "./facts.ts";
import { choose, type Chosen } from "./choose.ts";
import { type Named, refuseWithoutEndpoint } from "./named_target.ts";
import { otherWays } from "./other_ways.ts";
import { planReturn } from "./return_plan.ts";
import { withIgnoredFields } from "./ignored_fields.ts";
import { missing } from "../../planning/decisions.ts";
import type { ServerPresence } from "../../planning/ways_out/way_back.ts";
import { listing } from "../../planning/ways_out/next_steps.ts";
import type { Deployment, Endpoint, ModelVersion } from "../../domain/entities.ts";
import type { Decision } from "../../domain/plan.ts";
import type { DecisionContext, RollbackRequest } from "../../domain/requests.ts";
import type { WaysBack } from "../../domain/traffic/ways_back.ts";
import type { EndpointManager } from "../../effects/endpoint_manager.ts";
import { type Planner, plannerFor } from "../planner.ts";
import type { Database, Parts, Settings } from "../../ports/parts.ts";
import type { CallOptions } from "../../ports/call_options.ts";
import type { StoredRollbackFacts } from "../../domain/traffic/ways_back.ts";

/** Brings back what served before, or what is named; waits for no approval and no step. */
export function rollbackPlanner(parts: Parts, endpoints: EndpointManager, settings: Settings): Planner {
  return plannerFor("rollback", (request, context, options) => {
    const asked = new AskedRollback(parts, endpoints, settings, options);
    return asked.decide(request, context);
  });
}

class AskedRollback {
  readonly #parts: Pick<Parts, "database" | "packager">;
  readonly #endpoints: EndpointManager;
  readonly #settings: Settings;
  readonly #options: CallOptions;

  constructor(
    parts: Pick<Parts, "database" | "packager">,
    endpoints: EndpointManager,
    settings: Settings,
    options: CallOptions,
  ) {
    this.#parts = parts;
    this.#endpoints = endpoints;
    this.#settings = settings;
    this.#options = options;
  }

  async decide(request: RollbackRequest, context: DecisionContext): Promise<Decision> {
    const { current_deployment_id: id, rollback_to: to } = request;
    if (id !== undefined && to === undefined) return this.#fromWhatServes(id, request, context);
    const { database } = this.#parts;
    const name = request.endpoint_name ?? (await database.deployments.get(id ?? ""))?.endpoint_name;
    if (name === undefined)
      return missing("Deployment", id ?? "", "see the history for what serves now", [listing.endpoints]);
    const ways = await database.rollbackFacts.waysBack(name);
    if (ways === null) return refuseWithoutEndpoint(request, name, await this.#version(to ?? ""));
    const named = await this.#named(to, ways);
    const chosen = choose(request, ways, named, context.now);
    if ("code" in chosen) return { decision: "refusal", refusal: chosen };
    if (chosen.target !== null) {
      const decision = planReturn(request, await this.#facts(ways, chosen, chosen.target), context);
      return withIgnoredFields(decision, request, ways.endpoint.endpoint_name, { ...chosen, ways });
    }
    const serves = chosen.current?.deployment.deployment_id ?? "";
    return this.#fromWhatServes(serves, request, context);
  }

  /**
   * Facts for a rollback to the deployment before; where there is none, the refusal names what can come back by name.
   */
  async #fromWhatServes(id: string, request: RollbackRequest, context: DecisionContext): Promise<Decision> {
    const { database } = this.#parts;
    const facts = await gatherRollback(database, this.#endpoints, id, this.#options);
    const asked = { current_deployment_id: id, rollback_reason: request.rollback_reason };
    const decision = decideRollback(asked, facts, context);
    if (facts.current === null) return decision;
    const { endpoint_name } = facts.current;
    if (decision.decision === "refusal") {
      if (decision.refusal.next.length > 0) return decision;
      const next = await this.#otherWays(request, endpoint_name, []);
      return { ...decision, refusal: { ...decision.refusal, next } };
    }
    const asPlanned = withIgnoredFields(decision, request, endpoint_name, null);
    const { plan } = decision;
    const isCold = plan.steps.some(({ do: { step } }) => step === "start_server");
    // Only a start can fail for good, and a warm way back reads no more than it has to.
    if (!isCold || asPlanned.decision === "refusal") return asPlanned;
    const except = [id, facts.previous?.deployment_id ?? ""];
    const next_if_failed = await this.#otherWays(request, endpoint_name, except);
    return { ...asPlanned, plan: { ...asPlanned.plan, next_if_failed } };
  }

  async #otherWays(request: RollbackRequest, endpointName: string, except: string[]): Promise<NextStep[]> {
    const ways = await this.#parts.database.rollbackFacts.waysBack(endpointName);
    return ways === null ? [] : otherWays(request, ways, except);
  }

  async #named(to: string | undefined, { served }: WaysBack): Promise<Named> {
    const isKnown = served.some(
      ({ deployment, version }) => deployment.deployment_id === to || version.model_version_id === to,
    );
    if (to === undefined || isKnown) return { deployment: null, version: null };
    const { deployments, modelVersions } = this.#parts.database;
    const deployment = await deployments.get(to);
    return { deployment, version: await modelVersions.get(deployment?.model_version_id ?? to) };
  }

  async #version(id: string): Promise<ModelVersion | null> {
    return this.#parts.database.modelVersions.get(id);
  }

  async #facts(ways: WaysBack, chosen: Chosen, target: NonNullable<Chosen["target"]>): Promise<ReturnFacts> {
    const { database, packager } = this.#parts;
    const { current } = chosen;
    const { deployment_id: id, bento_tag } = target.deployment;
    const hasTraffic = (ways.endpoint.weights[id] ?? 0) > 0;
    const [endpoint, presence, found, left, live] = await Promise.all([
      this.#endpoints.servers.withLivingMirror(ways.endpoint, this.#options),
      this.#endpoints.servers.presenceOf(id, bento_tag, { ...this.#options, hasTraffic }),
      packager.findPackage(bento_tag),
      current === null ? null : database.rollbackFacts.read(current.deployment.deployment_id),
      this.#endpoints.liveFigures(ways.endpoint.endpoint_name, this.#options),
    ]);
    return {
      ...{ ways: { ...ways, endpoint }, current, target, live },
      server: target.is_stopping ? "stopping" : presence,
      is_packaged: found !== null,
      completed_rollout: left?.completed_rollout ?? null,
      retention_seconds: this.#settings.retention_seconds,
    };
  }
}

export async function gatherRollback(
  database: Database,
  endpoints: EndpointManager,
  deploymentId: string,
  options: CallOptions,
): Promise<RollbackFacts> {
  const stored = await database.rollbackFacts.read(deploymentId);
  if (stored === null) return { ...nothingKnown, live: { missing: "there is no such deployment" } };
  const [wayBack, live] = await Promise.all([
    seen(stored, endpoints, options),
    endpoints.liveFigures(stored.current.endpoint_name, options),
  ]);
  return { ...wayBack, live };
}

type WayBack = Omit<RollbackFacts, "live"> & Pick<StoredRollbackFacts, "previous_restarts">;

/** The same facts for a caller that has the router's figures already. */
export async function gatherWayBack(
  database: Database,
  endpoints: EndpointManager,
  deploymentId: string,
  options: CallOptions,
): Promise<WayBack> {
  const stored = await database.rollbackFacts.read(deploymentId);
  return stored === null ? nothingKnown : seen(stored, endpoints, options);
}

async function seen(
  { previous_is_stopping, ...stored }: StoredRollbackFacts,
  endpoints: EndpointManager,
  options: CallOptions,
): Promise<WayBack> {
  const { previous, endpoint: known } = stored;
  const [endpoint, presence] = await Promise.all([
    known === null ? null : endpoints.servers.withLivingMirror(known, options),
    presenceOf(previous, known, endpoints, options),
  ]);
  return { ...stored, endpoint, previous_server: previous_is_stopping ? "stopping" : presence };
}

async function presenceOf(
  previous: Deployment | null,
  endpoint: Endpoint | null,
  endpoints: EndpointManager,
  options: CallOptions,
): Promise<ServerPresence> {
  if (previous === null) return "away";
  const { deployment_id, bento_tag } = previous;
  const hasTraffic = (endpoint?.weights[deployment_id] ?? 0) > 0;
  return endpoints.servers.presenceOf(deployment_id, bento_tag, { ...options, hasTraffic });
}

const nothingKnown: WayBack = {
  current: null,
  current_version: null,
  endpoint: null,
  previous: null,
  previous_version: null,
  previous_restarts: null,
  previous_server: "away",
  open_rollout: null,
  completed_rollout: null,
};
