import { AgentError } from "../../agents/base/agent_error.ts";
import type { EngineKind } from "../../agents/model_deployer/domain/servers/engines.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type {
  ModelServer,
  ObserveOptions,
  SampleOutcome,
  SamplePredictions,
  ServerObservation,
  StartedServer,
  StartServer,
  StopOptions,
} from "../../agents/model_deployer/ports/model_server_port.ts";
import type { ByEngine } from "./by_engine.ts";

/** Servers of several engines, each deployment's on the one that it was made on. */
export class ServersOfEngines implements ModelServer {
  readonly #servers: ByEngine<ModelServer>;
  readonly #onSilent: (engine: EngineKind, error: AgentError) => void;

  /** @param onSilent is told of an engine whose servers were not listed, since it gave no answer */
  constructor(
    servers: ByEngine<ModelServer>,
    { onSilent }: { onSilent: (engine: EngineKind, error: AgentError) => void },
  ) {
    this.#servers = servers;
    this.#onSilent = onSilent;
  }

  async start(input: StartServer, options: CallOptions): Promise<StartedServer> {
    return (await this.#servers.of(input.deployment_id)).start(input, options);
  }

  async stop(deploymentId: string, options: StopOptions): Promise<void> {
    return (await this.#servers.of(deploymentId)).stop(deploymentId, options);
  }

  async observe(deploymentId: string, options: ObserveOptions): Promise<ServerObservation> {
    return (await this.#servers.of(deploymentId)).observe(deploymentId, options);
  }

  /** A server stays on its engine: to a deployment of another one nothing is handed over. */
  async handOver(
    from: string,
    to: { deployment_id: string; bento_tag: string },
    options: CallOptions,
  ): Promise<boolean> {
    const [engine, wanted] = await Promise.all(
      [from, to.deployment_id].map((id) => this.#servers.engineOf(id)),
    );
    if (engine !== wanted) return false;
    return (await this.#servers.of(from)).handOver(from, to, options);
  }

  /** An engine that gives no answer hides none of the others. @throws what the last one raises where none answers */
  async list(): Promise<string[]> {
    const asked = [...this.#servers.parts].map(async ([engine, server]) => ({
      engine,
      ...(await server.list().then(
        (ids) => ({ ids }),
        (error: unknown) => ({ error }),
      )),
    }));
    const answers = await Promise.all(asked);
    const found = answers.flatMap((one) => ("ids" in one ? [one.ids] : []));
    for (const one of answers) {
      if (!("error" in one)) continue;
      if (!(one.error instanceof AgentError) || found.length === 0) throw one.error;
      this.#onSilent(one.engine, one.error);
    }
    return [...new Set(found.flat())];
  }
}

/** Servers of several engines, as observers ask them. */
export class ObservedServersOfEngines implements Pick<ModelServer, "observe">, SamplePredictions {
  readonly #servers: ByEngine<Pick<ModelServer, "observe"> & SamplePredictions>;

  constructor(servers: ByEngine<Pick<ModelServer, "observe"> & SamplePredictions>) {
    this.#servers = servers;
  }

  async observe(deploymentId: string, options: ObserveOptions): Promise<ServerObservation> {
    return (await this.#servers.of(deploymentId)).observe(deploymentId, options);
  }

  async trySample(deploymentId: string, options: CallOptions): Promise<SampleOutcome> {
    return (await this.#servers.of(deploymentId)).trySample(deploymentId, options);
  }
}
