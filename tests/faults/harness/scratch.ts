import type { TestServices } from "../../support/services/test_services.ts";
import { deployerIn, type DeployerOptions, type GivenDeployer } from "../../support/deployer.ts";
import { createScratchDatabase } from "../../support/services/scratch_database.ts";
import { openWorld } from "../../support/world.ts";
import { type Observed, violationsOf } from "../invariants/invariants.ts";

export interface ScratchDeployer {
  given: GivenDeployer;
  /** As `violationsOf`, of this deployer's database and its in-memory parts. */
  violations(): Promise<string[]>;
  /** Closes all that is open on the database, and drops it. */
  close(): Promise<void>;
}

export interface ScratchOptions extends DeployerOptions {
  /** `quick` waits for no disk, which only a row may have that never kills the server. */
  commits?: "durable" | "quick";
}

/** A whole deployer over a database of its own, for rows that run outside a test runner too. */
export async function openScratchDeployer(
  services: Pick<TestServices, "databaseUrl">,
  { commits = "durable", ...options }: ScratchOptions = {},
): Promise<ScratchDeployer> {
  const database = await createScratchDatabase(services.databaseUrl);
  if (commits === "quick") {
    const name = new URL(database.url).pathname.slice(1);
    await database.query(`alter database ${name} set synchronous_commit = off`);
  }
  const world = await openWorld(database.url);
  const given = await deployerIn(world, options);
  return {
    given,
    violations: () => violationsOfGiven(given),
    close: async () => {
      await world.close();
      await database.drop();
    },
  };
}

/** As `violationsOf`, of the deployer's own parts; `sql` looks at its database in another way. */
export function violationsOfGiven(
  given: GivenDeployer,
  sql: Observed["sql"] = given.world.sql,
): Promise<string[]> {
  const { router, server, registry, episodicMemory } = given;
  const episodes = () => episodicMemory.episodes.map((episode) => episode.dedupe_key);
  return violationsOf({ sql, router, server, registry, episodes });
}
