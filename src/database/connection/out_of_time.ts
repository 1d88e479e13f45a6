import type { AgentError } from "../../agents/base/agent_error.ts";
import { type Deadline, secondsText } from "../../agents/base/deadline.ts";
import { DeadlineExceededError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { FAIR_WAIT_MS } from "../../platform/work/circuit.ts";

/** Names Postgres only where it had a fair time to answer; else the time was spent before it was asked. */
export function outOfTime(deadline: Deadline, askedAt: number, cause: unknown): AgentError {
  const waited = performance.now() - askedAt;
  const message = `Postgres had been asked for ${secondsText(waited)} when ${deadline.end}`;
  return waited < FAIR_WAIT_MS
    ? new DeadlineExceededError(`${message}: the time went before that.`, { cause })
    : new ServiceUnavailableError("postgres", `${message}, and had not answered.`, { cause });
}

export function notAsked(deadline: Deadline): DeadlineExceededError {
  const cause: unknown = deadline.signal.reason;
  return new DeadlineExceededError(`Postgres was not asked any more, for ${deadline.end}.`, { cause });
}

/**
 * Ends the wait for a server that is silent for as long as the run's deadline allows; each answer starts the count
 * anew.
 */
export class Silence {
  readonly #ended = new AbortController();
  readonly #limitMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ silenceMs }: Pick<Deadline, "silenceMs">) {
    this.#limitMs = silenceMs;
    this.heard();
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  readonly heard = (): void => {
    const limit = this.#limitMs;
    if (limit === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ended.abort(silent(limit)), limit);
  };

  end(): void {
    clearTimeout(this.#timer);
  }
}

function silent(limitMs: number): ServiceUnavailableError {
  return new ServiceUnavailableError(
    "postgres",
    `Postgres has said nothing for ${secondsText(limitMs)}, and no longer is waited for here. Nothing is lost: ask the same again once \`model-deployer doctor\` finds that it answers; what has begun by then a worker carries on.`,
  );
}
