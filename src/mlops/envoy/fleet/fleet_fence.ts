import { ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import { envoyService, type SubscriptionName } from "../admin_readings.ts";
import type { Superseded } from "../generation_fence.ts";
import type { EnvoyFleet, FileChange, KeptFiles } from "./fleet.ts";

/**
 * Keeps an older generation from ever replacing a newer one's files: each write names the version that it has seen, and
 * whoever sees a newer generation claimed writes nothing.
 */
export class FleetFence {
  readonly #fleet: Pick<EnvoyFleet, "files" | "write">;
  readonly #endpointName: string;
  readonly #signal: AbortSignal;

  constructor(fleet: Pick<EnvoyFleet, "files" | "write">, endpointName: string, signal: AbortSignal) {
    this.#fleet = fleet;
    this.#endpointName = endpointName;
    this.#signal = signal;
  }

  claim(generation: number): Promise<{ outcome: "claimed" } | Superseded> {
    return this.#change(generation, "claimed", ({ claimed }) =>
      claimed === generation ? null : { claimed: generation },
    );
  }

  /** Writes what is there already, too, so that an Envoy that has not taken it yet does. */
  publish(
    generation: number,
    name: SubscriptionName,
    content: string,
  ): Promise<{ outcome: "published" } | Superseded> {
    return this.#change(generation, "published", () => ({ [name]: content }));
  }

  async #change<Done extends string>(
    generation: number,
    outcome: Done,
    changeOf: (seen: KeptFiles) => FileChange | null,
  ): Promise<{ outcome: Done } | Superseded> {
    for (;;) {
      const seen = await this.#fleet.files(this.#endpointName, this.#signal);
      if (seen === null) {
        const message = `endpoint ${this.#endpointName} has no files; open it first`;
        throw new ServiceUnavailableError(envoyService, message);
      }
      if (seen.claimed > generation) return { outcome: "superseded", by: seen.claimed };
      const change = changeOf(seen);
      if (change === null) return { outcome };
      if (await this.#fleet.write(this.#endpointName, seen, change, this.#signal)) return { outcome };
    }
  }
}
