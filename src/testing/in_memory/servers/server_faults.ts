import { ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import type { StartServer } from "../../../agents/model_deployer/ports/model_server_port.ts";

/** Faults that a test gives to servers in memory. */
export class ServerFaults {
  readonly #broken = new Map<string, string>();
  #sampleFailure: string | null = null;
  #hasRoomForTwo = true;
  #isDown = false;

  get sampleFailure(): string | null {
    return this.#sampleFailure;
  }

  get hasRoomForTwo(): boolean {
    return this.#hasRoomForTwo;
  }

  breakModel(bentoTag: string, reason: string): void {
    this.#broken.set(bentoTag, reason);
  }

  mendModel(bentoTag: string): void {
    this.#broken.delete(bentoTag);
  }

  failSamples(reason: string | null): void {
    this.#sampleFailure = reason;
  }

  leaveRoomForOne(): void {
    this.#hasRoomForTwo = false;
  }

  down(): void {
    this.#isDown = true;
  }

  up(): void {
    this.#isDown = false;
  }

  /** Why a server that starts never becomes ready; null where it does. */
  problemOf(input: StartServer): string | null {
    return this.#broken.get(input.bento_tag) ?? this.sampleProblem(input);
  }

  /** One that served before is ready without a sample. */
  sampleProblem({ served_before }: StartServer): string | null {
    return served_before === true ? null : this.#sampleFailure;
  }

  assertAnswers(deploymentId: string, signal: AbortSignal): void {
    if (!this.#isDown && !signal.aborted) return;
    throw new ServiceUnavailableError("bentoml", `the deadline passed while ${deploymentId} was asked for`, {
      cause: signal.reason,
    });
  }

  /** The same models and samples fail; whoever holds the copy answers. */
  copy(): ServerFaults {
    const copy = new ServerFaults();
    for (const [tag, reason] of this.#broken) copy.#broken.set(tag, reason);
    copy.#sampleFailure = this.#sampleFailure;
    copy.#hasRoomForTwo = this.#hasRoomForTwo;
    return copy;
  }
}
