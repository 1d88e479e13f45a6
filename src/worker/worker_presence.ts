import { setTimeout as delay } from "node:timers/promises";
import { AgentError } from "../agents/base/agent_error.ts";

const TELL_MS = 5000;

/** Where a worker records that it runs. */
export interface Presence {
  seen(): Promise<void>;
  ended(): Promise<void>;
}

/**
 * Records every five seconds that the worker runs, whatever it is busy with, until the signal aborts; a failed record
 * is tried again.
 */
export async function tellPresence(
  presence: Presence | null,
  signal: AbortSignal,
  onProblem: (sentence: string) => void,
): Promise<void> {
  if (presence === null) return;
  const attempt = async (tell: () => Promise<void>) => {
    try {
      await tell();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      onProblem(`presence: ${error.message}`);
    }
  };
  while (!signal.aborted) {
    await attempt(() => presence.seen());
    await delay(TELL_MS, undefined, { signal }).catch(() => undefined);
  }
  await attempt(() => presence.ended());
}
