import type { InstalledEngines, RouterKind } from "../../agents/model_deployer/domain/servers/engines.ts";
import type { Configuration } from "../settings/configuration.ts";
import type { EngineSettings } from "../settings/engine_settings.ts";

type Engines = Pick<Configuration, "engine" | "otherEngines">;

/** The engines that are configured, as decisions know them. */
export function installedEngines({ engine, otherEngines }: Engines): InstalledEngines {
  const routers = [engine, ...otherEngines].map((one) => [one.kind, routerOf(one)] as const);
  return { usual: engine.kind, routers: Object.fromEntries(routers) };
}

/** All but those of a cluster route by an Envoy where the worker is. */
const routerOf = (engine: EngineSettings): RouterKind =>
  engine.kind === "kubernetes" ? engine.router.kind : "worker";

/** The settings of an engine, where it is configured. */
export function settingsFor<K extends EngineSettings["kind"]>(
  kind: K,
  { engine, otherEngines }: Engines,
): Extract<EngineSettings, { kind: K }> | null {
  const isOf = (one: EngineSettings): one is Extract<EngineSettings, { kind: K }> => one.kind === kind;
  return [engine, ...otherEngines].find(isOf) ?? null;
}
