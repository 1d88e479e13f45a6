import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { z } from "zod";
import type { CallOptions } from "../../src/agents/model_deployer/ports/call_options.ts";
import type {
  ModelServer,
  ServerObservation,
} from "../../src/agents/model_deployer/ports/model_server_port.ts";
import { ServiceUnavailableError } from "../../src/agents/model_deployer/errors.ts";
import { ServerProbe } from "../../src/mlops/bentoml/servers/server_probe.ts";
import { toMainSchema, type toThreadSchema } from "./messages.ts";

type Seen = Extract<z.infer<typeof toMainSchema>, { kind: "seen" }>;

/** Model servers and callers in a thread of their own. */
export class Upstreams {
  readonly #thread: Worker;
  readonly ports: readonly number[];

  private constructor(thread: Worker, ports: number[]) {
    this.#thread = thread;
    this.ports = ports;
  }

  static async start(bentoTags: string[], modelMs: number): Promise<Upstreams> {
    const thread = new Worker(new URL("./upstreams_thread.ts", import.meta.url), {
      workerData: { bento_tags: bentoTags, model_ms: modelMs },
    });
    const message = await nextMessage(thread);
    return new Upstreams(thread, message.kind === "listening" ? message.ports : []);
  }

  callEndpoint(endpointUrl: string): void {
    this.#tell({ kind: "call", endpoint_url: endpointUrl });
  }

  /** The moment at which a caller had the first answer from the deployment. */
  async firstAnswerOf(deploymentId: string): Promise<Seen> {
    const message = nextMessage(this.#thread);
    this.#tell({ kind: "watch", deployment_id: deploymentId });
    const seen = await message;
    if (seen.kind === "seen") return seen;
    throw new ServiceUnavailableError("bench", "the thread of callers began anew; run the benchmark again");
  }

  /** The moment at which a caller had the deployment's last answer; null where it has never answered. */
  async lastAnswerOf(deploymentId: string): Promise<bigint | null> {
    const message = nextMessage(this.#thread);
    this.#tell({ kind: "ask_last", deployment_id: deploymentId });
    const told = await message;
    return told.kind === "last" ? told.at : null;
  }

  async stop(): Promise<void> {
    await this.#thread.terminate();
  }

  #tell(message: z.input<typeof toThreadSchema>): void {
    this.#thread.postMessage(message);
  }
}

async function nextMessage(thread: Worker): Promise<z.infer<typeof toMainSchema>> {
  const message: unknown[] = await once(thread, "message");
  return toMainSchema.parse(message[0]);
}

/** Serves the upstreams, asked whether they are ready over the wire as bentos are. */
export class UpstreamServer implements ModelServer {
  readonly #ports: ReadonlyMap<string, number>;
  readonly #tags = new Map<string, string>();
  readonly #probe = new ServerProbe();

  constructor(portsByTag: ReadonlyMap<string, number>) {
    this.#ports = portsByTag;
  }

  async start(input: { deployment_id: string; bento_tag: string }): ReturnType<ModelServer["start"]> {
    this.#tags.set(input.deployment_id, input.bento_tag);
    return { host: "127.0.0.1", port: this.#ports.get(input.bento_tag) ?? 0, isolation: "none" };
  }

  async stop(deploymentId: string): Promise<void> {
    this.#tags.delete(deploymentId);
  }

  async observe(deployment_id: string, { signal }: CallOptions): Promise<ServerObservation> {
    const bento_tag = this.#tags.get(deployment_id);
    const port = this.#ports.get(bento_tag ?? "");
    if (bento_tag === undefined || port === undefined) return { state: "absent" };
    const seen = await this.#probe.health({ process: deployment_id, bento_tag, port }, signal);
    return seen.health === "ready"
      ? { state: "ready", host: "127.0.0.1", port, bento_tag }
      : { state: "failed", reason: seen.reason };
  }

  /** Nothing is deployed here whose server another one could take over. */
  async handOver(): Promise<boolean> {
    return false;
  }

  async list(): Promise<string[]> {
    return [...this.#tags.keys()];
  }

  async close(): Promise<void> {
    await this.#probe.close();
  }
}
