import type { Route } from "../../../src/agents/model_deployer/domain/rollout.ts";
import { serving } from "../../../src/agents/model_deployer/domain/weights.ts";
import type { ModelServer, ServerAddress } from "../../../src/agents/model_deployer/ports.ts";
import type { GivenDeployer } from "../../support/deployer.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import type { TestServices } from "../../support/test_services.ts";
import { openScratchDeployer, type ScratchDeployer } from "../scratch.ts";
import { RecordedFakes } from "./recorded_fakes.ts";
import type { RestorableEnvoy } from "./restorable_envoy.ts";

/** A moment of a whole deployer: its database and all that it knows outside. */
export interface Moment {
  schema: string;
  /** Where the real router's files are kept; null while there is none. */
  routerFiles: string | null;
  done: ReturnType<RecordedFakes["keep"]>;
}

const CALL_MS = 30_000;

/** Tells the connections of a process that was killed from this one's. */
const CHILD = "crash-child";

/** A deployer over a database of its own that can be put back to an earlier moment, which takes some milliseconds. */
export class RestorableDeployer {
  readonly fakes: RecordedFakes;
  readonly #scratch: ScratchDeployer;
  #envoy: RestorableEnvoy | null = null;
  #moments = 0;

  private constructor(scratch: ScratchDeployer, fakes: RecordedFakes) {
    this.#scratch = scratch;
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

  /** Where a child finds the database. */
  get childUrl(): string {
    const url = new URL(this.given.world.url);
    url.searchParams.set("application_name", CHILD);
    return url.href;
  }

  /** The real router takes over from the one in memory, with all that this has in force. */
  async moveInto(envoy: RestorableEnvoy): Promise<void> {
    const { router, server, world } = this.given;
    const options = { signal: AbortSignal.timeout(CALL_MS) };
    for (const row of await world.sql("select endpoint_name from ml_endpoints")) {
      const name = String(row["endpoint_name"]);
      const route = await router.observe(name, options);
      if (route === null) continue;
      envoy.remember(name);
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

  /** A child's statements that were under way when it died have their effect or none, and its locks are gone. */
  async childrenAreGone(): Promise<void> {
    const sessions = `select count(*)::int as open from pg_stat_activity
      where datname = current_database() and application_name = '${CHILD}'`;
    await pollUntil(async () => (await this.given.world.sql(sessions))[0]?.["open"] === 0, {
      deadlineMs: 10_000,
      intervalMs: 3,
      what: "end of the dead process's sessions",
    });
  }

  async keep(): Promise<Moment> {
    const schema = `moment_${++this.#moments}`;
    const tables = await this.#tables();
    const copies = tables.map(({ name }) => `create table ${schema}.${name} as table public.${name}`);
    await this.given.world.sql([`create schema ${schema}`, ...copies].join(";"));
    const routerFiles = (await this.#envoy?.keep()) ?? null;
    return { schema, routerFiles, done: this.fakes.keep() };
  }

  async restore({ schema, routerFiles, done }: Moment): Promise<void> {
    const tables = await this.#tables();
    const statements = [
      "begin",
      // Past the triggers that keep histories as they are.
      "set local session_replication_role = replica",
      ...tables.map(({ name }) => `delete from public.${name}`),
      ...tables.map(
        ({ name, columns }) =>
          `insert into public.${name} (${columns}) overriding system value select ${columns} from ${schema}.${name}`,
      ),
      "commit",
    ];
    await this.given.world.sql(statements.join(";"));
    await this.fakes.restore(done);
    if (routerFiles !== null) await this.#envoy?.restore(routerFiles);
  }

  async forget({ schema }: Moment): Promise<void> {
    await this.given.world.sql(`drop schema ${schema} cascade`);
  }

  violations(): Promise<string[]> {
    return this.#scratch.violations();
  }

  close(): Promise<void> {
    return this.#scratch.close();
  }

  async #tables(): Promise<{ name: string; columns: string }[]> {
    const rows = await this.given.world.sql(
      `select table_name as name, string_agg(column_name, ', ' order by ordinal_position) as columns
       from information_schema.columns join information_schema.tables using (table_schema, table_name)
       where table_schema = 'public' and table_type = 'BASE TABLE' and is_generated = 'NEVER' group by table_name`,
    );
    return rows.map((row) => ({ name: String(row["name"]), columns: String(row["columns"]) }));
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
