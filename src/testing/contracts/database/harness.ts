import type { Duration } from "../../clock.ts";
import type { TestDatabase } from "../../in_memory/database/in_memory_database.ts";
import { experiment } from "./fixtures.ts";

/** The suite's needs besides the stores: other processes, and time. */
export interface DatabaseHarness {
  /** Takes leases as `process-a`. */
  db: TestDatabase;
  /** Another process on the same database, under the name that it takes leases with. */
  another: (holder: string) => TestDatabase;
  /** Lets so much time go by for all that the database has dated. */
  passTime: (by: Duration) => Promise<void>;
}

/** Opens an empty, migrated database for one test, and closes it when the test ends. */
export type PrepareDatabase = (installation: "standard" | "demo") => Promise<DatabaseHarness>;

/** One with the experiment `exp`; `standard` unless told. */
export type OpenDatabase = (installation?: "standard" | "demo") => Promise<DatabaseHarness>;

export function withExperiment(prepare: PrepareDatabase): OpenDatabase {
  return async (installation = "standard") => {
    const harness = await prepare(installation);
    await harness.db.experiments.create(experiment, "tester");
    return harness;
  };
}
