import type { EngineKind, InstalledEngines } from "../../agents/model_deployer/domain/servers/engines.ts";
import { notConfigured } from "../../agents/model_deployer/domain/servers/engine_refusals.ts";
import { EngineRefusedError } from "../../agents/model_deployer/errors.ts";
import type { Deployments } from "../../agents/model_deployer/ports/stores/entity_stores.ts";

/** The engines of rows that are written once, so that each is read once. */
export class RememberedEngines {
  readonly #read: (id: string) => Promise<{ engine: EngineKind | null } | null>;
  readonly #usual: EngineKind;
  readonly #known = new Map<string, EngineKind>();

  constructor(read: (id: string) => Promise<{ engine: EngineKind | null } | null>, usual: EngineKind) {
    this.#read = read;
    this.#usual = usual;
  }

  /** The usual one for what was made before engines were written down; null for what does not exist. */
  async find(id: string): Promise<EngineKind | null> {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const row = await this.#read(id);
    if (row === null) return null;
    const engine = row.engine ?? this.#usual;
    this.#known.set(id, engine);
    return engine;
  }
}

/** @param what begins the refusal, as in "d1 runs on" */
export function engineAway(
  what: string,
  engine: EngineKind,
  installed: InstalledEngines,
): EngineRefusedError {
  return new EngineRefusedError(
    `${notConfigured(what, engine, installed)}; until then it is left as it is.`,
    { details: { engine } },
  );
}

/** The engine of each deployment, as the database has it. */
export class EnginesOfDeployments {
  readonly installed: InstalledEngines;
  readonly #remembered: RememberedEngines;

  constructor(installed: InstalledEngines, deployments: Pick<Deployments, "get">) {
    this.installed = installed;
    this.#remembered = new RememberedEngines((id) => deployments.get(id), installed.usual);
  }

  /** The usual one for what does not exist. */
  async of(deploymentId: string): Promise<EngineKind> {
    return (await this.#remembered.find(deploymentId)) ?? this.installed.usual;
  }
}

/** One part of each engine that has it, found by the deployment that it is asked about. */
export class ByEngine<T> {
  readonly parts: ReadonlyMap<EngineKind, T>;
  readonly #engines: EnginesOfDeployments;

  constructor(parts: ReadonlyMap<EngineKind, T>, engines: EnginesOfDeployments) {
    this.parts = parts;
    this.#engines = engines;
  }

  engineOf(deploymentId: string): Promise<EngineKind> {
    return this.#engines.of(deploymentId);
  }

  /** @throws EngineRefusedError where the deployment's engine is not configured */
  async of(deploymentId: string): Promise<T> {
    const engine = await this.engineOf(deploymentId);
    return this.on(engine, `${deploymentId} runs on`);
  }

  /** Null where the deployment's engine has no such part. @throws EngineRefusedError where it is not configured */
  async find(deploymentId: string): Promise<T | null> {
    const engine = await this.engineOf(deploymentId);
    if (this.#engines.installed.routers[engine] === undefined)
      return this.on(engine, `${deploymentId} runs on`);
    return this.parts.get(engine) ?? null;
  }

  /** @param what begins the refusal, as in "d1 runs on" */
  on(engine: EngineKind | undefined, what: string): T {
    const { installed } = this.#engines;
    const chosen = engine ?? installed.usual;
    const part = this.parts.get(chosen);
    if (part !== undefined) return part;
    throw engineAway(what, chosen, installed);
  }
}
