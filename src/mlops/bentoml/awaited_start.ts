import { setTimeout as delay } from "node:timers/promises";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { LIVENESS_TIMEOUT_MS } from "../../agents/model_deployer/ports.ts";
import type { ServedProcesses } from "./served_process.ts";
import type { ServerProbe } from "./server_probe.ts";
import type { ServerRecord } from "./server_record.ts";

export type WaitOutcome =
  | { state: "ready" }
  | { state: "port_taken"; reason: string }
  /** `runs` where its process is there, and may answer requests. */
  | { state: "failed"; reason: string; runs: boolean };

const probeMs = 1000;
const pollIntervalMs = 25;
/** A load that failed twice with the same error fails again. */
const repeatedFailure = 2;

/** Waits for a server that was started, and tells by its log why it does not come. */
export class AwaitedStart {
  readonly #processes: Pick<ServedProcesses, "isRunning" | "lastError">;
  readonly #probe: ServerProbe;
  readonly #timeoutMs: number;

  constructor(
    processes: Pick<ServedProcesses, "isRunning" | "lastError">,
    probe: ServerProbe,
    timeoutMs: number,
  ) {
    this.#processes = processes;
    this.#probe = probe;
    this.#timeoutMs = timeoutMs;
  }

  /** @param servedBefore that it is ready is enough; else it has to answer a sample prediction as well */
  async untilReady(record: ServerRecord, servedBefore: boolean, signal: AbortSignal): Promise<WaitOutcome> {
    const deadline = performance.now() + this.#timeoutMs;
    let last = "nothing was asked";
    while (performance.now() < deadline) {
      throwIfAborted(signal, record.deployment_id);
      const seen = await this.#probe.health(record, AbortSignal.any([signal, AbortSignal.timeout(probeMs)]));
      if (seen.health === "ready") return servedBefore ? { state: "ready" } : this.#trySample(record, signal);
      last = seen.reason;
      if (!(await this.#processes.isRunning(record.process))) return this.#explainEnd(record);
      if (seen.health === "foreign") return { state: "port_taken", reason: seen.reason };
      const failure = await this.loadFailure(record);
      if (failure !== null) return { state: "failed", reason: failure, runs: true };
      await delay(pollIntervalMs);
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

  /** The error that its load failed with again and again; null while it may still succeed. */
  async loadFailure(record: ServerRecord): Promise<string | null> {
    const error = await this.#processes.lastError(record.process);
    return error !== null && error.count >= repeatedFailure ? error.line : null;
  }
}

function notReadyIn(limitMs: number, last: string): string {
  return `not ready within MODEL_DEPLOYER_START_SECONDS=${limitMs / 1000}: ${last}; raise it if the model takes longer`;
}

/** @throws ServiceUnavailableError */
export function throwIfAborted(signal: AbortSignal, deploymentId: string): void {
  if (!signal.aborted) return;
  throw new ServiceUnavailableError("bentoml", `the deadline passed while ${deploymentId} was asked for`, {
    cause: signal.reason,
  });
}
