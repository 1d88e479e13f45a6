import type { Deployment } from "../../domain/entities.ts";
import { choosingEngine, missingEngines, unreachable } from "../../domain/servers/engine_refusals.ts";
import {
  configured,
  type EngineKind,
  endpointStage,
  engineFor,
  engineOf,
} from "../../domain/servers/engines.ts";
import type { Decision } from "../../domain/plan.ts";
import type { DeployRequest } from "../../domain/requests.ts";
import { refuse } from "../../planning/decisions.ts";
import type { DeployFacts } from "./facts.ts";

type EngineFacts = Pick<DeployFacts, "policy" | "engines" | "endpoint" | "deployments" | "is_guarded">;

/** The engine on which this deployment is made. */
export const chosenEngine = ({ target_stage }: Pick<DeployRequest, "target_stage">, facts: EngineFacts) =>
  engineFor(target_stage, facts.policy, facts.engines);

/**
 * The policy names an engine that is not configured here, the endpoint's router would not reach its servers, or a new
 * endpoint's router would let everybody in though a policy says who may call.
 */
export function refuseEngine(
  request: Pick<DeployRequest, "target_stage">,
  experiment_id: string,
  facts: EngineFacts,
): Decision | null {
  const { policy, engines } = facts;
  const stage = endpointStage(request.target_stage);
  const engine = chosenEngine(request, facts);
  const asked = policy.engines[stage];
  const missing = asked === undefined ? null : missingEngines(experiment_id, { [stage]: asked }, engines);
  if (missing !== null) return refuse("engine_refused", missing.sentence, { next: missing.next });
  const problem = routerProblem(engine, facts);
  if (problem === null) return null;
  const others = configured(engines).filter((one) => one !== engine && routerProblem(one, facts) === null);
  const next = others.map((one) =>
    choosingEngine(experiment_id, stage, one, `makes new deployments of ${stage} on ${one}`),
  );
  return refuse("engine_refused", problem, { next });
}

function routerProblem(engine: EngineKind, { engines, endpoint, is_guarded }: EngineFacts): string | null {
  if (endpoint !== null) return unreachable(engine, endpoint, engines);
  const router = engines.routers[engine];
  if (router === "worker" || !is_guarded) return null;
  return `A policy says who may call this endpoint, and the router of ${engine} (MODEL_DEPLOYER_ROUTER=${router}) would let everybody in: set MODEL_DEPLOYER_ROUTER=worker, or serve it on another engine.`;
}

/** Says so where it moves: what serves now stays where it is, and so does the way back. */
export function engineNotes(engine: EngineKind, { endpoint, deployments, engines }: EngineFacts): string[] {
  const { weights = {}, mirror_deployment_id: mirror = null } = endpoint ?? {};
  const isThere = ({ deployment_id: id }: Deployment) => (weights[id] ?? 0) > 0 || id === mirror;
  const elsewhere = deployments.filter((one) => isThere(one) && engineOf(one, engines) !== engine);
  return elsewhere.map(
    (one) =>
      `It is served on ${engine}, and ${one.deployment_id} on ${engineOf(one, engines)}: each stays where it was made, and a rollback goes back there.`,
  );
}

/** For the summary; nothing where it is served as ever. */
export function servedOn(engine: EngineKind, facts: EngineFacts): string {
  const isUsual = engine === facts.engines.usual && engineNotes(engine, facts).length === 0;
  return isUsual ? "" : `, served on ${engine}`;
}
