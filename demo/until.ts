import { setTimeout as delay } from "node:timers/promises";
import { ServiceUnavailableError } from "../src/agents/model_deployer/errors.ts";
import { story } from "./story.ts";

/** Only guards against hanging: how long something takes is up to the machine. */
const DEADLINE_MS = 15 * 60_000;
const TOLD_EVERY_MS = 20_000;

/** The present state of something that is waited for. */
export class NotYet {
  readonly seen: string;

  constructor(seen: string) {
    this.seen = seen;
  }
}

/**
 * Looks again and again until there is something, and tells at times what it waits for.
 * @throws ServiceUnavailableError with what was seen last, when it does not come
 */
export async function until<T>(what: string, look: () => Promise<T | NotYet>): Promise<T> {
  const begun = performance.now();
  let told = begun;
  for (;;) {
    const found = await look();
    if (!(found instanceof NotYet)) return found;
    const now = performance.now();
    if (now - begun > DEADLINE_MS) {
      const waited = `Waited ${DEADLINE_MS / 60_000} min in vain until ${what}; seen last: ${found.seen}.`;
      throw new ServiceUnavailableError("demo", waited);
    }
    if (now - told > TOLD_EVERY_MS) {
      told = now;
      story.detail(`waiting until ${what}; so far: ${found.seen}`);
    }
    await delay(100);
  }
}
