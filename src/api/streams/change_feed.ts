import { AgentError } from "../../agents/base/agent_error.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import type { Marks } from "../../database/repositories/reading/marks.ts";
import type { EndpointView, Vitals } from "../../service/endpoints/endpoint_schemas.ts";
import { endpointViews } from "../../service/endpoints/endpoint_views.ts";
import { operationReport, operationReports } from "../../service/operations/operation_reports.ts";
import type { OperationReport } from "../../service/operations/operation_schemas.ts";

/** One thing that has changed, as all its readers get it. */
export type FeedEvent =
  | { event: "endpoint"; data: EndpointView }
  | { event: "operation"; data: OperationReport }
  /** Health and figures of those endpoints of which they were read anew, by name. */
  | { event: "vitals"; data: Record<string, Vitals> }
  /** Something was added to the history. */
  | { event: "history"; data: { rows: number } }
  /** The deployer's database does not answer, or answers again. */
  | { event: "feed"; data: { is_current: boolean; reason: string | null } };

export type FeedListener = (events: readonly FeedEvent[]) => void;

interface FeedOptions {
  vitalsOf: (endpointName: string) => Vitals;
  everyMs: number;
  /** The source that tells of a change; the database's own unless given. */
  readMarks?: () => Promise<Marks>;
}

const MOST_OPEN = 200;

/**
 * Looks at the database for all streams together while there is one, and tells what has changed. A reader that joins
 * gets all that is there first.
 */
export class ChangeFeed {
  readonly #database: DeployerDatabase;
  readonly #vitalsOf: (endpointName: string) => Vitals;
  readonly #everyMs: number;
  readonly #readMarks: () => Promise<Marks>;
  readonly #listeners = new Set<FeedListener>();
  readonly #vitals = new Map<string, Vitals>();
  #marks: Marks | null = null;
  #failure: string | null = null;
  #looking: Promise<void> | null = null;

  constructor(
    database: DeployerDatabase,
    { vitalsOf, everyMs, readMarks = () => database.marks.read() }: FeedOptions,
  ) {
    this.#database = database;
    this.#readMarks = readMarks;
    this.#vitalsOf = vitalsOf;
    this.#everyMs = everyMs;
  }

  /** Until the signal is aborted. The listener is called with all that is there before any change. */
  async join(listener: FeedListener, signal: AbortSignal): Promise<void> {
    // A change that comes while all that is there is read is kept, and told after it.
    const kept: FeedEvent[] = [];
    let tell: FeedListener = (events) => kept.push(...events);
    const own: FeedListener = (events) => {
      tell(events);
    };
    this.#listeners.add(own);
    signal.addEventListener("abort", () => this.#listeners.delete(own), { once: true });
    try {
      await this.#begin();
      const snapshot = await this.#snapshot();
      if (signal.aborted) return;
      listener(snapshot);
    } catch (error) {
      this.#listeners.delete(own);
      throw error;
    }
    if (kept.length > 0) listener(kept);
    tell = listener;
  }

  /** Begins to look for changes. The first marks are read before anything else, so that no change since is missed. */
  async #begin(): Promise<void> {
    const marks = await this.#readMarks();
    if (this.#looking !== null) return;
    this.#marks = marks;
    this.#looking = this.#look().finally(() => {
      this.#looking = null;
    });
  }

  async #snapshot(): Promise<FeedEvent[]> {
    const [endpoints, operations] = await Promise.all([
      endpointViews(this.#database, null, this.#vitalsOf),
      operationReports(this.#database, { state: "open", limit: MOST_OPEN }),
    ]);
    return [
      ...endpoints.map((data) => ({ event: "endpoint" as const, data })),
      ...operations.map((data) => ({ event: "operation" as const, data })),
    ];
  }

  async #look(): Promise<void> {
    while (this.#listeners.size > 0) {
      this.#tell(await this.#changes().catch((error: unknown) => this.#failed(error)));
      await new Promise((resolve) => setTimeout(resolve, this.#everyMs));
    }
  }

  #tell(events: FeedEvent[]): void {
    if (events.length === 0) return;
    for (const listener of this.#listeners) listener(events);
  }

  /** A database that does not answer is told once, and asked again. */
  #failed(error: unknown): FeedEvent[] {
    if (!(error instanceof AgentError)) throw error;
    const isNew = this.#failure === null;
    this.#failure = error.message;
    return isNew ? [{ event: "feed", data: { is_current: false, reason: error.message } }] : [];
  }

  async #changes(): Promise<FeedEvent[]> {
    const now = await this.#readMarks();
    const before = this.#marks ?? now;
    const changed = differing(before.endpoints, now.endpoints);
    const operations = differing(before.operations, now.operations);
    const [views, reports] = await Promise.all([
      changed.length === 0 ? [] : endpointViews(this.#database, changed, this.#vitalsOf),
      Promise.all(operations.map((id) => operationReport(this.#database, id))),
    ]);
    this.#marks = now;
    const vitals = this.#newVitals(Object.keys(now.endpoints));
    const isBack = this.#failure !== null;
    this.#failure = null;
    return [
      ...(isBack ? [{ event: "feed" as const, data: { is_current: true, reason: null } }] : []),
      ...views.map((data) => ({ event: "endpoint" as const, data })),
      ...reports.map((data) => ({ event: "operation" as const, data })),
      ...(Object.keys(vitals).length > 0 ? [{ event: "vitals" as const, data: vitals }] : []),
      ...(now.history > before.history
        ? [{ event: "history" as const, data: { rows: now.history - before.history } }]
        : []),
    ];
  }

  /** Of endpoints whose vitals were read anew since the last look. */
  #newVitals(names: readonly string[]): Record<string, Vitals> {
    const read = names.flatMap((name) => {
      const vitals = this.#vitalsOf(name);
      if (this.#vitals.get(name) === vitals) return [];
      this.#vitals.set(name, vitals);
      return [[name, vitals] as const];
    });
    return Object.fromEntries(read);
  }
}

function differing(before: Record<string, string>, now: Record<string, string>): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
    (key) => before[key] !== now[key],
  );
}
