import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { z } from "zod";
import { Deadline } from "../../base/deadline.ts";
import { publishProgress } from "../../base/diagnostics.ts";
import { InvalidRequestError } from "../errors.ts";
import type { Settings } from "../ports/parts.ts";
import type { Progress } from "../state/state.ts";
import { valueText } from "../state/value_text.ts";

export type NodeRuntime = LangGraphRunnableConfig<{ effects?: unknown }>;
export type Effects = "live" | "dry-run";

const effectsSchema = z.enum(["live", "dry-run"]).optional();

/**
 * Whether this run changes anything. A development server only plans, unless the context says `live` explicitly.
 * @throws InvalidRequestError
 */
export function effectsOf(runtime: NodeRuntime, settings: Pick<Settings, "default_effects">): Effects {
  const parsed = effectsSchema.safeParse(runtime.context?.effects);
  if (!parsed.success) {
    throw new InvalidRequestError(
      `context.effects is ${valueText(runtime.context?.effects)}; set it to "live" or "dry-run", or leave it out.`,
    );
  }
  if (parsed.data !== undefined) return parsed.data;
  return runtime.serverInfo === undefined ? settings.default_effects : "dry-run";
}

/** Aborted when the run is given up or its deadline has passed. */
export function signalOf(runtime: NodeRuntime): AbortSignal {
  const deadline = Deadline.current?.signal;
  return AbortSignal.any([runtime.signal, deadline].filter((signal) => signal !== undefined));
}

const URGENT: readonly string[] = ["rollback", "abort"];

/** A rollback, which waits for nothing that it can do without. */
export function isUrgent(request: { action: string } | null | undefined): boolean {
  return request !== null && request !== undefined && URGENT.includes(request.action);
}

/** How long a rollback waits for a silent Postgres before it reports which parts it could do. */
const SILENCE_MS = 2_500;
/** The deadline of a caller that sets none; longer than any action takes. */
const NO_DEADLINE_MS = 600_000;

/** Carries work out with less patience for a part that says nothing. */
export function withShortSilence<T>(work: () => T): T {
  const run = Deadline.current ?? new Deadline(NO_DEADLINE_MS, { of: "an action" });
  return run.withSilence(SILENCE_MS).run(work);
}

/** Time for the answer after the work was given up: to read how far it came, and to report. */
const ANSWER_MS = 2_500;

/** How long an action's steps are waited for, in whole ms: `patience_seconds`, or the rest of the run's deadline. */
export function patienceMs(settings: Pick<Settings, "patience_seconds">): number {
  const left = Deadline.current?.remainingMs ?? Infinity;
  return Math.floor(Math.max(0, Math.min(settings.patience_seconds * 1000, left - ANSWER_MS)));
}

export function tell(runtime: NodeRuntime, progress: Progress): void {
  runtime.writer?.(progress);
  publishProgress(progress);
}
