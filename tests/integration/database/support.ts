export * from "../../../src/testing/contracts/database/database_setup.ts";
export * from "../../../src/testing/contracts/database/fixtures.ts";
export * from "./world.ts";
