import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { z } from "zod";
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

export function signalOf(runtime: NodeRuntime): AbortSignal {
  return runtime.signal ?? new AbortController().signal;
}

export function tell(runtime: NodeRuntime, progress: Progress): void {
  runtime.writer?.(progress);
}
