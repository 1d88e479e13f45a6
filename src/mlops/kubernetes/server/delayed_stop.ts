import { setTimeout as delay } from "node:timers/promises";
import { ConflictError } from "../../../agents/model_deployer/errors.ts";
import type { ClusterServers } from "./cluster_servers.ts";
import type { ServerView } from "./observed_objects.ts";

/**
 * Ends servers whose routers may still send to them after they were told not to. The time
 * of the request is kept in the Deployment's annotations, so that whoever asks again, in another process too, waits for the rest.
 */
export class DelayedStop {
  readonly #servers: ClusterServers;
  readonly #drainDelaySeconds: number;
  readonly #now: () => number;

  /** @param now the time in milliseconds since 1970, as other processes see it too */
  constructor(servers: ClusterServers, drainDelaySeconds: number, now: () => number) {
    this.#servers = servers;
    this.#drainDelaySeconds = drainDelaySeconds;
    this.#now = now;
  }

  /** A server that never got callers ends at once. @throws ConflictError where it was started again meanwhile */
  async end(server: ServerView, signal: AbortSignal): Promise<void> {
    if (this.#drainDelaySeconds === 0 || !server.installed) return this.#servers.remove(server, signal);
    const { name, uid } = server.deployment.metadata;
    for (let isMarked = false; ;) {
      const seen = (await this.#servers.named(name, signal))?.view;
      if (seen?.deployment.metadata.uid !== uid) return;
      if (seen.ending_since === null) {
        if (isMarked) {
          throw new ConflictError(`the server ${name} was started again while it was being stopped`);
        }
        const mark = { ending_since: new Date(this.#now()).toISOString() };
        isMarked = await this.#servers.mark(seen, mark, signal);
        continue;
      }
      isMarked = true;
      const passed = this.#now() - Date.parse(seen.ending_since);
      const left = Math.min(this.#drainDelaySeconds * 1000, this.#drainDelaySeconds * 1000 - passed);
      if (left <= 0) return this.#servers.remove(seen, signal);
      await delay(left, undefined, { signal });
    }
  }
}
