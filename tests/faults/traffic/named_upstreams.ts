import type { ServerAddress } from "../../../src/agents/model_deployer/ports/traffic_router_port.ts";
import type { Upstreams } from "./upstreams.ts";

/** The upstreams of one endpoint by name, `u0` first; a port that was left may be taken by a later one. */
export class NamedUpstreams {
  readonly #upstreams: Upstreams;
  readonly #ports = new Map<string, number>();
  readonly #freed: number[] = [];
  #named = 0;

  constructor(upstreams: Upstreams) {
    this.#upstreams = upstreams;
  }

  get names(): string[] {
    return [...this.#ports.keys()];
  }

  async startNew(port = 0): Promise<string> {
    const name = `u${this.#named++}`;
    await this.start(name, port);
    return name;
  }

  /** On the port that was left longest ago, where there is more than one. */
  startNewInPlace(): Promise<string> {
    return this.startNew(this.#freed.length > 1 ? this.#freed.shift() : 0);
  }

  /** At a new port, unless given. */
  async start(name: string, port = 0): Promise<void> {
    this.#ports.set(name, await this.#upstreams.start(name, port));
  }

  async kill(name: string): Promise<void> {
    await this.#upstreams.kill(this.portOf(name));
    this.#freed.push(this.portOf(name));
  }

  forget(name: string): void {
    this.#ports.delete(name);
  }

  portOf(name: string): number {
    return this.#ports.get(name) ?? 0;
  }

  addresses(): ServerAddress[] {
    return [...this.#ports].map(([deployment_id, port]) => ({ deployment_id, host: "127.0.0.1", port }));
  }
}
