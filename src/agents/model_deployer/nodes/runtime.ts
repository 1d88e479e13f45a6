import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { z } from "zod";
import { Deadline } from "../../base/deadline.ts";
import { publishProgress } from "../../base/diagnostics.ts";
import { InvalidRequestError } from "../errors.ts";
import type { Settings } from "../parts.ts";
import type { Progress } from "../state.ts";
import { shown } from "./shown.ts";

export type NodeRuntime = LangGraphRunnableConfig<{ effects?: unknown }>;
export type Effects = "live" | "dry-run";

const effectsSchema = z.enum(["live", "dry-run"]).optional();

/**
 * Whether this run acts. A development server plans only, unless the context says `live` in so many words.
 * @throws InvalidRequestError
 */
export function effectsOf(runtime: NodeRuntime, settings: Pick<Settings, "default_effects">): Effects {
  const parsed = effectsSchema.safeParse(runtime.context?.effects);
  if (!parsed.success) {
    throw new InvalidRequestError(
      `context.effects is ${shown(runtime.context?.effects)}; set it to "live" or "dry-run", or leave it out.`,
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

/** What an answer needs after the work for it was given up: to read how far it came, and to report. */
const ANSWER_MS = 2_500;

/** How many whole ms an action's steps may be waited for: `patience_seconds`, or what the run's deadline leaves of it. */
export function patienceMs(settings: Pick<Settings, "patience_seconds">): number {
  const left = Deadline.current?.remainingMs ?? Infinity;
  return Math.floor(Math.max(0, Math.min(settings.patience_seconds * 1000, left - ANSWER_MS)));
}

export function tell(runtime: NodeRuntime, progress: Progress): void {
  runtime.writer?.(progress);
  publishProgress(progress);
}
