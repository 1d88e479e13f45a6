import type { Database } from "../../../agents/model_deployer/ports/parts.ts";
import type { KeptLooksReader } from "../../../agents/model_deployer/ports/stores/kept_looks_reader.ts";
import type { Principals } from "../../../agents/model_deployer/ports/stores/approval_stores.ts";
import type { DeployerDatabase } from "../../../database/index.ts";
import type { KitDatabase } from "./kit_databases.ts";
import { TestClock } from "../../clock.ts";

/** The stores of the truth, who may approve, and what the judge saw. */
export interface TestDatabase extends Database {
  principals: Principals;
  keptLooks: KeptLooksReader;
}

/** Everything that the deployer's own database has. */
export interface InMemoryDatabase extends DeployerDatabase {
  /** As another process sees the same database: only the name under which it takes leases differs. */
  asProcess(holder: string): InMemoryDatabase;
  /** Another database with the same rows, whose time is that clock's. */
  copy(clock: TestClock): Promise<InMemoryDatabase>;
}

/**
 * A database in memory: the deployer's own migrations and statements on a Postgres in this process, which keeps nothing.
 * Its time is the clock's.
 *
 * @param options.installation only a `demo` takes demo policies
 * @throws ConfigurationError where `@electric-sql/pglite` is not installed
 */
export async function createInMemoryDatabase(
  options: { clock?: TestClock; installation?: "standard" | "demo"; holder?: string } = {},
): Promise<InMemoryDatabase> {
  const { clock = new TestClock(), installation = "standard", holder = "test-process" } = options;
  // Not before it is needed: whoever imports the kit for its states loads no driver.
  const { openKitDatabase } = await import("./kit_databases.ts");
  return seenBy(await openKitDatabase(clock, { installation }), holder);
}

function seenBy(database: KitDatabase, holder: string): InMemoryDatabase {
  return {
    ...database.as(holder),
    asProcess: (name) => seenBy(database, name),
    copy: async (clock) => {
      const { openKitDatabase } = await import("./kit_databases.ts");
      return seenBy(await openKitDatabase(clock, { contents: await database.contents() }), holder);
    },
  };
}
