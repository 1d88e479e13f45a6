import type { Route } from "../../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import { serving } from "../../../../src/agents/model_deployer/domain/traffic/weights.ts";
import type { ModelServer } from "../../../../src/agents/model_deployer/ports/model_server_port.ts";
import type { ServerAddress } from "../../../../src/agents/model_deployer/ports/traffic_router_port.ts";
import type { GivenDeployer } from "../../../support/deployer.ts";
import type { TestServices } from "../../../support/services/test_services.ts";
import { processViolationsOf } from "../../invariants/process_rules.ts";
import { openScratchDeployer, type ScratchDeployer } from "../../harness/scratch.ts";
import { RecordedFakes } from "./recorded_fakes.ts";
import { RestorableDatabase } from "./restorable_database.ts";
import type { RestorableEnvoy } from "./restorable_envoy.ts";

/** A moment of a whole deployer: its database and all that it knows outside. */
export interface Moment {
  schema: string;
  /** Where the real router's files are kept; null while there is none. */
  routerFiles: string | null;
  done: ReturnType<RecordedFakes["keep"]>;
}

const CALL_MS = 30_000;

/** A deployer over a database of its own that can be put back to an earlier moment, which takes some milliseconds. */
export class RestorableDeployer {
  readonly fakes: RecordedFakes;
  readonly database: RestorableDatabase;
  readonly #scratch: ScratchDeployer;
  #envoy: RestorableEnvoy | null = null;

  private constructor(scratch: ScratchDeployer, fakes: RecordedFakes) {
    this.#scratch = scratch;
    this.database = new RestorableDatabase(scratch.given.world);
    this.fakes = fakes;
  }

  static async open(services: Pick<TestServices, "databaseUrl">): Promise<RestorableDeployer> {
    const fakes = new RecordedFakes();
    const scratch = await openScratchDeployer(services, { fakes: fakes.parts, commits: "quick" });
    return new RestorableDeployer(scratch, fakes);
  }

  get given(): GivenDeployer {
    return this.#scratch.given;
  }

  /** The real router takes over from the one in memory, with all that this has in force. */
  async moveInto(envoy: RestorableEnvoy): Promise<void> {
    const { router, server, world } = this.given;
    const options = { signal: AbortSignal.timeout(CALL_MS) };
    for (const row of await world.sql("select endpoint_name from ml_endpoints")) {
      const name = String(row["endpoint_name"]);
      const route = await router.observe(name, options);
      if (route === null) continue;
      const { endpoint_url } = await envoy.router.open(name, options);
      const servers = await Promise.all(deploymentsOf(route).map((id) => addressOf(server, id)));
      await envoy.router.apply(route, servers, options);
      await world.sql("update ml_endpoints set endpoint_url = $2 where endpoint_name = $1", [
        name,
        endpoint_url,
      ]);
      await world.sql("update ml_deployments set endpoint_url = $2 where endpoint_name = $1", [
        name,
        endpoint_url,
      ]);
    }
    this.fakes.replaceRouter(envoy.router);
    this.#envoy = envoy;
  }

  async keep(): Promise<Moment> {
    const schema = await this.database.keep();
    const routerFiles = (await this.#envoy?.keep()) ?? null;
    return { schema, routerFiles, done: this.fakes.keep() };
  }

  async restore({ schema, routerFiles, done }: Moment): Promise<void> {
    await this.database.restore(schema);
    await this.fakes.restore(done);
    if (routerFiles !== null) await this.#envoy?.restore(routerFiles);
  }

  async forget({ schema }: Moment): Promise<void> {
    await this.database.forget(schema);
  }

  async violations(): Promise<string[]> {
    const found = await this.#scratch.violations();
    if (this.#envoy === null) return found;
    return [...found, ...(await processViolationsOf({ home: this.#envoy.home, sql: this.given.world.sql }))];
  }

  close(): Promise<void> {
    return this.#scratch.close();
  }
}

function deploymentsOf({ weights, mirror_deployment_id: mirror }: Route): string[] {
  return [...serving(weights), ...(mirror === null ? [] : [mirror])];
}

async function addressOf(server: ModelServer, deploymentId: string): Promise<ServerAddress> {
  const found = await server.observe(deploymentId, { signal: AbortSignal.timeout(CALL_MS) });
  if (found.state !== "ready") throw new TypeError(`the server of ${deploymentId} is ${found.state}`);
  return { deployment_id: deploymentId, host: found.host, port: found.port };
}
