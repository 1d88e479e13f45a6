import { setTimeout as delay } from "node:timers/promises";
import { ServiceUnavailableError } from "../src/agents/model_deployer/errors.ts";

/**
 * Looks again and again until `found` gives something.
 * @throws ServiceUnavailableError when the deadline has passed
 */
export async function until<T>(
  what: string,
  deadlineMs: number,
  found: () => Promise<T | null | false>,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  while (performance.now() < deadline) {
    const value = await found();
    if (value !== null && value !== false) return value;
    await delay(100);
  }
  throw new ServiceUnavailableError("demo", `Waited ${deadlineMs / 1000} s in vain until ${what}.`);
}
