import { inject } from "vitest";
import { createScratchDatabase, type ScratchDatabase } from "./scratch_database.ts";

/** An empty database of the suite's own. */
export function createTestDatabase(): Promise<ScratchDatabase> {
  return createScratchDatabase(inject("databaseUrl"));
}
