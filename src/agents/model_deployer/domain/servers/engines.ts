import { z } from "zod";

export const engineKindSchema = z.enum(["local", "kubernetes", "bentocloud"]);
/** Platforms that run servers: this machine, a cluster, or BentoCloud. */
export type EngineKind = z.infer<typeof engineKindSchema>;

/** Engines whose servers keep rows, and are sent some past the router. */
export const KEEPING_ROWS: readonly EngineKind[] = ["local"];

const routerKindSchema = z.enum(["worker", "cluster", "gateway"]);
/** Where an endpoint is routed: by an Envoy beside the worker, by Envoys in the cluster, or by somebody's gateway. */
export type RouterKind = z.infer<typeof routerKindSchema>;

export const installedEnginesSchema = z.strictObject({
  /** The one that serves where no policy names one. */
  usual: engineKindSchema,
  /** The router of endpoints that are opened for each engine; an engine that is not configured has none. */
  routers: z.partialRecord(engineKindSchema, routerKindSchema),
});
/** The engines that an installation has configured. */
export type InstalledEngines = z.infer<typeof installedEnginesSchema>;

/** An installation with this machine alone. */
export const LOCAL_ENGINE: InstalledEngines = { usual: "local", routers: { local: "worker" } };

/** An experiment's endpoints: that of staging, and that of production with its shadow. */
const endpointStageSchema = z.enum(["staging", "production"]);
export type EndpointStage = z.infer<typeof endpointStageSchema>;
export const ENDPOINT_STAGES = endpointStageSchema.options;

/** The engine of each endpoint whose policy names one. */
export const enginesByStageSchema = z.partialRecord(endpointStageSchema, engineKindSchema);
export type EnginesByStage = z.infer<typeof enginesByStageSchema>;

/** A shadow is served at production's endpoint. */
export const endpointStage = (stage: "staging" | "shadow" | "production"): EndpointStage =>
  stage === "staging" ? "staging" : "production";

/** ` on kubernetes`, to be put behind a name; empty for this machine, which goes without saying. */
export const elsewhere = (engine: EngineKind | null = null): string =>
  engine === null || engine === "local" ? "" : ` on ${engine}`;

/** The engine on which new deployments of a stage are made. */
export function engineFor(
  stage: "staging" | "shadow" | "production",
  { engines }: { engines: EnginesByStage },
  { usual }: InstalledEngines,
): EngineKind {
  return engines[endpointStage(stage)] ?? usual;
}

/** The engine of what was made before engines were written down is the usual one. */
export const engineOf = (
  { engine }: { engine: EngineKind | null },
  { usual }: InstalledEngines,
): EngineKind => engine ?? usual;

/**
 * Whether a router reaches the servers of an engine. An Envoy beside the worker reaches a cluster's Services where that
 * router is the one that is configured for the cluster; what runs in the cluster reaches nothing outside it.
 */
export function reaches(router: RouterKind, engine: EngineKind, { routers }: InstalledEngines): boolean {
  if (router !== "worker") return engine === "kubernetes";
  return engine !== "kubernetes" || routers.kubernetes === "worker";
}

export const configured = ({ usual, routers }: InstalledEngines): EngineKind[] =>
  [usual, ...engineKindSchema.options].filter(
    (one, index, all) => routers[one] !== undefined && all.indexOf(one) === index,
  );
