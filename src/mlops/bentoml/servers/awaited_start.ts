import { setTimeout as delay } from "node:timers/promises";
import { noAnswer } from "../../../agents/base/deadline.ts";
import { EndpointCreationError, ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import {
  LIVENESS_TIMEOUT_MS,
  type ServerObservation,
} from "../../../agents/model_deployer/ports/model_server_port.ts";
import type { ServedProcesses } from "./served_process.ts";
import type { ServerProbe } from "./server_probe.ts";
import type { ServerRecord } from "./server_record.ts";

export type WaitOutcome =
  | { state: "ready" }
  | { state: "port_taken"; reason: string }
  /** `runs` is true where its process exists and may still come to answer. */
  | { state: "failed"; reason: string; runs: boolean };

const PROBE_MS = 1000;
const POLL_INTERVAL_MS = 25;
/** How often the same error of loading ends the wait: it would fail again. */
const REPEATED_FAILURE = 2;

/** Waits for a server that was started; where it does not become ready, its log tells why. */
export class AwaitedStart {
  readonly #processes: Pick<ServedProcesses, "isRunning" | "lastError" | "ageMs">;
  readonly #probe: ServerProbe;
  readonly #timeoutMs: number;

  constructor(
    processes: Pick<ServedProcesses, "isRunning" | "lastError" | "ageMs">,
    probe: ServerProbe,
    timeoutMs: number,
  ) {
    this.#processes = processes;
    this.#probe = probe;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @param servedBefore a server that has served before only has to be ready; any other has to answer a sample
   * prediction too
   */
  async untilReady(record: ServerRecord, servedBefore: boolean, signal: AbortSignal): Promise<WaitOutcome> {
    const deadline = performance.now() + leftOf(this.#timeoutMs, await this.#processes.ageMs(record.process));
    let last = "nothing was asked";
    while (performance.now() < deadline) {
      throwIfAborted(signal, record.deployment_id);
      const seen = await this.#probe.health(record, AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]));
      if (seen.health === "ready") return servedBefore ? { state: "ready" } : this.#trySample(record, signal);
      last = seen.reason;
      if (!(await this.#processes.isRunning(record.process))) return this.#explainEnd(record);
      if (seen.health === "foreign") return { state: "port_taken", reason: seen.reason };
      const failure = await this.#loadFailure(record);
      if (failure !== null) return { state: "failed", reason: failure, runs: true };
      await delay(POLL_INTERVAL_MS);
    }
    const error = await this.#processes.lastError(record.process);
    const reason = error?.line ?? notReadyIn(this.#timeoutMs, last);
    return { state: "failed", reason, runs: true };
  }

  async #trySample(record: ServerRecord, signal: AbortSignal): Promise<WaitOutcome> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(LIVENESS_TIMEOUT_MS)]);
    const outcome = await this.#probe.sample(record, bounded);
    throwIfAborted(signal, record.deployment_id);
    return outcome.sample === "failed"
      ? { state: "failed", reason: outcome.reason, runs: true }
      : { state: "ready" };
  }

  async #explainEnd(record: ServerRecord): Promise<WaitOutcome> {
    const error = await this.#processes.lastError(record.process);
    const reason = error?.line ?? "its process ended and its log names no error";
    return /address already in use/i.test(reason)
      ? { state: "port_taken", reason }
      : { state: "failed", reason, runs: false };
  }

  /** Reads the log only of a server that may still be starting: errors in the log of a later one are old. */
  async startingOrHanging(record: ServerRecord, reason: string): Promise<ServerObservation> {
    const age = await this.#processes.ageMs(record.process);
    if (age !== null && age >= this.#timeoutMs) {
      return { state: "unresponsive", host: "127.0.0.1", port: record.port, reason };
    }
    const failure = await this.#loadFailure(record);
    return failure === null ? { state: "starting" } : { state: "failed", reason: failure };
  }

  /** The error that its load failed with again and again; null while it may still succeed. */
  async #loadFailure(record: ServerRecord): Promise<string | null> {
    const error = await this.#processes.lastError(record.process);
    return error !== null && error.count >= REPEATED_FAILURE ? error.line : null;
  }
}

/**
 * The rest of the limit, counted from the process's start, so that a second waiter does not wait it out anew; at least
 * enough for one answer.
 */
export function leftOf(timeoutMs: number, ageMs: number | null): number {
  return Math.max(Math.min(LIVENESS_TIMEOUT_MS, timeoutMs), timeoutMs - (ageMs ?? 0));
}

function notReadyIn(limitMs: number, last: string): string {
  return `not ready within MODEL_DEPLOYER_START_SECONDS=${limitMs / 1000}: ${last}; raise it if the model takes longer`;
}

export function cannotBeServed(
  { deployment_id, bento_tag }: Pick<ServerRecord, "deployment_id" | "bento_tag">,
  reason: string,
): EndpointCreationError {
  return new EndpointCreationError(`${bento_tag} cannot be served for ${deployment_id}: ${reason}`, {
    details: { deployment_id, bento_tag, reason },
  });
}

/** @throws ServiceUnavailableError */
export function throwIfAborted(signal: AbortSignal, deploymentId: string): void {
  if (!signal.aborted) return;
  throw new ServiceUnavailableError(
    "bentoml",
    `the server of ${deploymentId} gave ${noAnswer(signal, LIVENESS_TIMEOUT_MS)}`,
    {
      cause: signal.reason,
    },
  );
}
