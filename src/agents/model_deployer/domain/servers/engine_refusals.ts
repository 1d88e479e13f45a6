import type { NextStep } from "../../../base/next_step.ts";
import type { Endpoint } from "../entities.ts";
import {
  configured,
  ENDPOINT_STAGES,
  type EndpointStage,
  type EngineKind,
  type EnginesByStage,
  engineOf,
  type InstalledEngines,
  reaches,
} from "./engines.ts";

/** Says which engine is not configured, what is, and how it would be. */
export function notConfigured(what: string, engine: EngineKind, installed: InstalledEngines): string {
  const present = configured(installed);
  return (
    `${what} ${engine}, and this deployer has ${present.join(" and ")} alone: ` +
    `set MODEL_DEPLOYER_ENGINE=${[...present, engine].join(",")} and what ${engine} needs (docs/engines.md) wherever the deployer runs`
  );
}

/** The command by which a person chooses the engine of an endpoint; null gives it the usual one. */
export function choosingEngine(
  experiment_id: string,
  stage: EndpointStage,
  engine: EngineKind | null,
  why: string,
): NextStep {
  return {
    action: "set_policy",
    request: null,
    command: `model-deployer policy set ${experiment_id} --engine ${stage}=${engine ?? "usual"} --reason "..."`,
    who: "person",
    why,
  };
}

/** A sentence about the engines that a policy asks for and this installation has not; null where it has each. */
export function missingEngines(
  experiment_id: string,
  engines: EnginesByStage,
  installed: InstalledEngines,
): { sentence: string; next: NextStep[] } | null {
  const missing = ENDPOINT_STAGES.flatMap((stage) => {
    const engine = engines[stage];
    return engine === undefined || installed.routers[engine] !== undefined ? [] : [{ stage, engine }];
  });
  const [first] = missing;
  if (first === undefined) return null;
  const what = `The policy of ${experiment_id} serves ${missing.map(({ stage }) => stage).join(" and ")} on`;
  const next = missing.map(({ stage }) =>
    choosingEngine(experiment_id, stage, null, `serves ${stage} on ${installed.usual}, as ever`),
  );
  return {
    sentence: `${notConfigured(what, first.engine, installed)}, or have the policy name another one.`,
    next,
  };
}

/** Why an endpoint would lose callers with servers on this engine; null where it would lose none. */
export function unreachable(
  engine: EngineKind,
  endpoint: Pick<Endpoint, "endpoint_name" | "engine">,
  engines: InstalledEngines,
): string | null {
  const { endpoint_name: name } = endpoint;
  const openedFor = engineOf(endpoint, engines);
  const router = engines.routers[openedFor];
  if (router === undefined) {
    return `${notConfigured(`${name} has its address at the router of`, openedFor, engines)}.`;
  }
  if (reaches(router, engine, engines)) return null;
  const wayOut =
    router === "worker"
      ? "set MODEL_DEPLOYER_ROUTER=worker where the worker reaches the Services of the cluster"
      : "serve it in an experiment of its own, whose endpoint is opened at another router";
  return (
    `${name} keeps its address and its router (${router}) for its life, and that router reaches no server of ${engine}, ` +
    `so its callers would be lost: ${wayOut}, or keep it on ${openedFor}.`
  );
}
