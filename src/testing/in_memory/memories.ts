import {
  InvalidRequestError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type { Episode } from "../../agents/model_deployer/domain/episode.ts";
import type {
  EpisodicMemory,
  ProceduralMemory,
  Procedure,
  WorkingMemory,
} from "../../agents/model_deployer/ports/memory_ports.ts";

/**
 * Memories that live in the test's process and behave as the real ones do: they refuse what those refuse, and
 * `down()` makes every call fail as an unreachable service does until `up()`.
 */

const MAX_BYTES = 256 * 1024;

class Switch {
  readonly #service: string;
  #isDown = false;

  constructor(service: string) {
    this.#service = service;
  }

  down(): void {
    this.#isDown = true;
  }

  up(): void {
    this.#isDown = false;
  }

  check(options: CallOptions): void {
    if (options.signal.aborted) {
      throw new ServiceUnavailableError(this.#service, "no answer before the deadline", {
        cause: options.signal.reason,
      });
    }
    if (this.#isDown) throw new ServiceUnavailableError(this.#service, `${this.#service} is down`);
  }
}

export class InMemoryWorkingMemory implements WorkingMemory {
  readonly #switch = new Switch("redis");
  readonly #manifests = new Map<string, string>();

  down(): void {
    this.#switch.down();
  }

  up(): void {
    this.#switch.up();
  }

  async rememberManifest(
    sessionId: string,
    manifest: Record<string, unknown>,
    options: CallOptions,
  ): Promise<void> {
    checkSessionId(sessionId);
    const text = JSON.stringify(manifest);
    if (Buffer.byteLength(text) > MAX_BYTES)
      throw new ServiceRefusedError("redis", "the manifest is too large");
    if (!isJson(manifest)) throw new ServiceRefusedError("redis", "the manifest is not JSON");
    this.#switch.check(options);
    this.#manifests.set(sessionId, text);
  }

  async recallManifest(sessionId: string, options: CallOptions): Promise<Record<string, unknown> | null> {
    checkSessionId(sessionId);
    this.#switch.check(options);
    const text = this.#manifests.get(sessionId);
    if (text === undefined) return null;
    const manifest: unknown = JSON.parse(text);
    return isRecord(manifest) ? manifest : null;
  }
}

export class InMemoryEpisodicMemory implements EpisodicMemory {
  readonly #switch: Switch;
  readonly #ofAgents: Map<string, Map<string, Episode>>;
  readonly #episodes: Map<string, Episode>;

  /**
   * The agent whose episodes these are, `model_deployer` unless given; `beside` is another agent's memory in the same
   * service.
   */
  constructor({
    agentName = "model_deployer",
    beside,
  }: { agentName?: string | undefined; beside?: InMemoryEpisodicMemory } = {}) {
    this.#switch = beside === undefined ? new Switch("supabase") : beside.#switch;
    this.#ofAgents = beside === undefined ? new Map<string, Map<string, Episode>>() : beside.#ofAgents;
    this.#episodes = this.#ofAgents.get(agentName) ?? new Map<string, Episode>();
    this.#ofAgents.set(agentName, this.#episodes);
  }

  /** All that this agent has stored, oldest stored first. */
  get episodes(): Episode[] {
    return [...this.#episodes.values()].map((episode) => structuredClone(episode));
  }

  down(): void {
    this.#switch.down();
  }

  up(): void {
    this.#switch.up();
  }

  async store(episode: Episode, options: CallOptions): Promise<void> {
    this.#switch.check(options);
    refuseUnstorable(episode);
    if (episode.dedupe_key === "") throw new ServiceRefusedError("supabase", "dedupe_key is empty");
    if (this.#episodes.has(episode.dedupe_key)) return;
    const occurred_at = new Date(episode.occurred_at).toISOString();
    this.#episodes.set(episode.dedupe_key, structuredClone({ ...episode, occurred_at }));
  }

  async recent(
    filter: { endpoint_name?: string; experiment_id?: string; text?: string; limit: number },
    options: CallOptions,
  ): Promise<Episode[]> {
    if (!Number.isInteger(filter.limit) || filter.limit < 1) {
      throw new InvalidRequestError(`limit is ${filter.limit}: ask for 1 or more`);
    }
    this.#switch.check(options);
    return this.episodes
      .filter((it) => filter.endpoint_name === undefined || it.endpoint_name === filter.endpoint_name)
      .filter((it) => filter.experiment_id === undefined || it.experiment_id === filter.experiment_id)
      .filter((it) => filter.text === undefined || mentions(it, filter.text))
      .reverse()
      .sort((a, b) => Date.parse(b.occurred_at) - Date.parse(a.occurred_at))
      .slice(0, Math.min(filter.limit, 200));
  }

  /** Compares no meanings: the words have to occur. */
  async similar(text: string, filter: { limit: number }, options: CallOptions): Promise<Episode[]> {
    return this.recent({ text, limit: filter.limit }, options);
  }
}

export class InMemoryProceduralMemory implements ProceduralMemory {
  readonly #switch = new Switch("supabase");
  readonly #uses = new Map<string, { trigger_pattern: string; procedure: Procedure; succeeded: boolean }>();

  down(): void {
    this.#switch.down();
  }

  up(): void {
    this.#switch.up();
  }

  async recordUse(
    procedure: Procedure,
    use: { dedupe_key: string; succeeded: boolean; duration_ms: number },
    options: CallOptions,
  ): Promise<void> {
    this.#switch.check(options);
    refuseUnstorable(procedure);
    if (!(use.duration_ms >= 0 && use.duration_ms < Infinity)) {
      throw new ServiceRefusedError("supabase", `duration_ms is ${use.duration_ms}`);
    }
    if (this.#uses.has(use.dedupe_key)) return;
    const { trigger_pattern } = procedure;
    const { succeeded } = use;
    this.#uses.set(use.dedupe_key, { trigger_pattern, procedure: structuredClone(procedure), succeeded });
  }

  async experience(
    triggerPattern: string,
    options: CallOptions,
  ): Promise<{ usage_count: number; success_count: number }> {
    this.#switch.check(options);
    const uses = [...this.#uses.values()].filter((use) => use.trigger_pattern === triggerPattern);
    return { usage_count: uses.length, success_count: uses.filter((use) => use.succeeded).length };
  }
}

function checkSessionId(sessionId: string): void {
  if (!/^sess_[a-z0-9]{16}$/.test(sessionId)) throw new InvalidRequestError("session_id is malformed");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isJson(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isJson);
  if (typeof value === "number") return Number.isFinite(value);
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  return isRecord(value) && !(value instanceof Date) && Object.values(value).every(isJson);
}

/** Postgres keeps no NUL characters, and the tables no field of more than 256 KiB. */
function refuseUnstorable(row: object): void {
  for (const [column, value] of Object.entries(row)) {
    const text = JSON.stringify(value);
    if (text.includes("\\u0000"))
      throw new ServiceRefusedError("supabase", `${column} holds a NUL character`);
    if (Buffer.byteLength(text) > MAX_BYTES)
      throw new ServiceRefusedError("supabase", `${column} is too large`);
  }
}

/** Every word of the text occurs, by a crude stem; the real one is Postgres' websearch_to_tsquery. */
function mentions(episode: Episode, text: string): boolean {
  const outcome = Object.values(episode.outcome_details).map((value) => JSON.stringify(value));
  const said = [
    episode.description,
    episode.event_subtype.replaceAll("_", " "),
    episode.endpoint_name ?? "",
    episode.experiment_id ?? "",
    ...outcome,
  ];
  const known = new Set(stems(said.join(" ")));
  return stems(text).every((stem) => known.has(stem));
}

function stems(text: string): string[] {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return words.map((word) => word.replace(/(?:ing|ed|s)$/, ""));
}
