import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { CallOptions } from "../../../src/agents/model_deployer/ports/call_options.ts";
import type {
  ModelServer,
  ServerObservation,
} from "../../../src/agents/model_deployer/ports/model_server_port.ts";

/** The servers of another `ModelServer`, each with a port that answers every request with the id of the deployment whose it is. */
export class ListeningModelServer implements ModelServer {
  readonly #inner: ModelServer;
  readonly #listening = new Map<string, { server: Server; port: number; owner: string }>();

  constructor(inner: ModelServer) {
    this.#inner = inner;
  }

  async start(...[input, options]: Parameters<ModelServer["start"]>): ReturnType<ModelServer["start"]> {
    const started = await this.#inner.start(input, options);
    return { ...started, port: await this.#listen(input.deployment_id) };
  }

  async observe(deploymentId: string, options: CallOptions): Promise<ServerObservation> {
    const observed = await this.#inner.observe(deploymentId, options);
    const own = this.#listening.get(deploymentId);
    return observed.state === "ready" && own !== undefined ? { ...observed, port: own.port } : observed;
  }

  async stop(deploymentId: string, options: CallOptions): Promise<void> {
    await this.#inner.stop(deploymentId, options);
    this.#listening.get(deploymentId)?.server.close();
    this.#listening.delete(deploymentId);
  }

  async handOver(...[from, to, options]: Parameters<ModelServer["handOver"]>): Promise<boolean> {
    const isHandedOver = await this.#inner.handOver(from, to, options);
    const own = this.#listening.get(from);
    if (isHandedOver && own !== undefined) {
      this.#listening.delete(from);
      own.owner = to.deployment_id;
      this.#listening.set(own.owner, own);
    }
    return isHandedOver;
  }

  list(): Promise<string[]> {
    return this.#inner.list();
  }

  close(): void {
    for (const { server } of this.#listening.values()) {
      server.closeAllConnections();
      server.close();
    }
  }

  async #listen(deploymentId: string): Promise<number> {
    const known = this.#listening.get(deploymentId);
    if (known !== undefined) return known.port;
    const server = createServer((incoming, outgoing) => {
      incoming.resume();
      outgoing.end(own.owner);
    });
    const own = { server, port: 0, owner: deploymentId };
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    own.port = typeof address === "object" && address !== null ? address.port : 0;
    this.#listening.set(deploymentId, own);
    return own.port;
  }
}
