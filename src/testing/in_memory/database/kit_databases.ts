import pg from "pg";
import { type DeployerDatabase, databaseOver, type InstallationKind } from "../../../database/index.ts";
import { types } from "../../../database/value_types.ts";
import { TestClock } from "../../clock.ts";
import { type EmbeddedServer, startEmbeddedServer } from "./embedded_server.ts";
import { type HeldDatabase, SharedServer } from "./shared_server.ts";
import { type Contents, EMPTY } from "./table_rows.ts";
import { VirtualConnection } from "./virtual_connection.ts";

let begin: () => Promise<EmbeddedServer> = startEmbeddedServer;
let started: Promise<SharedServer> | undefined;
/** The first contents of a database of each kind. */
const firstContents = new Map<InstallationKind, Promise<Contents>>();

/** One database of the process, and what it holds at a moment, for another one to begin with. */
export interface KitDatabase {
  as(holder: string): DeployerDatabase;
  contents(): Promise<Contents>;
}

/**
 * A new database on the one server of the process, as any process sees it under the name it takes leases with.
 * @throws ConfigurationError where the engine is not installed
 */
export async function openKitDatabase(
  clock: TestClock,
  first: { installation: InstallationKind } | { contents: Contents },
): Promise<KitDatabase> {
  const server = await (started ??= start());
  const contents = "contents" in first ? first.contents : await contentsOf(server, first.installation);
  const held: HeldDatabase = { clock, contents };
  return {
    as: databasesOf(server, held),
    contents: () => server.contentsOf(held),
  };
}

/** Has the databases of this process held by another server than the one in it, from before the first is opened. */
export function holdKitDatabasesOn(server: () => Promise<EmbeddedServer>): void {
  begin = server;
}

async function start(): Promise<SharedServer> {
  const embedded = await begin();
  const server = await SharedServer.over(embedded);
  await contentsOf(server, "standard");
  if (embedded.isNew) await embedded.keep();
  return server;
}

function contentsOf(server: SharedServer, installation: InstallationKind): Promise<Contents> {
  const known = firstContents.get(installation) ?? migrated(server, installation);
  firstContents.set(installation, known);
  return known;
}

/** Migrates one database of the kind, which does nothing where the tables were kept. */
async function migrated(server: SharedServer, installation: InstallationKind): Promise<Contents> {
  const first: HeldDatabase = { clock: new TestClock(), contents: EMPTY };
  const database = databasesOf(server, first)("the testing kit");
  await database.migrate({ installation });
  const contents = await server.contentsOf(first);
  await database.close();
  return contents;
}

function databasesOf(server: SharedServer, held: HeldDatabase): (holder: string) => DeployerDatabase {
  const pools = { pool: poolTo(server, held), ownerPool: poolTo(server, held) };
  // A server in the asker's own process can neither fall silent nor be cut short.
  return (holder) => databaseOver({ ...pools, holder, statementTimeoutMs: 0 });
}

function poolTo(server: SharedServer, held: HeldDatabase): pg.Pool {
  const stream = () => new VirtualConnection(server.accessOf(held));
  const pool = new pg.Pool({ stream, idleTimeoutMillis: 0, types });
  // The failed query raises the same error; without a listener the process would end.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}
