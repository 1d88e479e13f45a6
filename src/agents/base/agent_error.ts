import type { NextStep } from "./next_step.ts";
import { causeWithoutCredentials, detailsWithoutCredentials, withoutCredentials } from "./credentials.ts";

export interface AgentErrorOptions {
  cause?: unknown;
  /** Facts behind the message, safe to show: no secrets, JSON only. */
  details?: Record<string, unknown>;
  /** Each way out; none where it is final. */
  next?: readonly NextStep[];
  /** From when on asking again makes sense, ISO 8601; null where no time helps. */
  not_before?: string | null;
}

/**
 * The root of all errors that an agent raises.
 *
 * `code` is stable and meant for programs, `retryable` says whether the same request may succeed later without a
 * change by nothing but time or a part that comes back, `details` carries the facts behind the message, `next` each way out. An address in any of them, causes included, loses its user and
 * password, whoever put it there.
 */
export abstract class AgentError extends Error {
  abstract readonly code: string;
  abstract readonly retryable: boolean;
  readonly details: Record<string, unknown>;
  readonly next: readonly NextStep[];
  readonly not_before: string | null;

  constructor(message: string, options: AgentErrorOptions = {}) {
    const { cause } = options;
    super(withoutCredentials(message), cause === undefined ? {} : { cause: causeWithoutCredentials(cause) });
    this.name = new.target.name;
    this.details = detailsWithoutCredentials(options.details ?? {});
    this.next = options.next ?? [];
    this.not_before = options.not_before ?? null;
  }
}

/** Raised when an agent that honours no deadline of its own is still at work when its SLA is over. */
export class SlaExceededError extends AgentError {
  readonly code = "deadline_exceeded";
  readonly retryable = true;
}

/** Raised in place of an error that no agent has typed, which stays its cause. */
export class UnexpectedAgentError extends AgentError {
  readonly code = "unexpected";
  readonly retryable = false;
}
