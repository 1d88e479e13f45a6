export * from "../../../src/testing/contracts/database/acts.ts";
export * from "../../../src/testing/contracts/database/fixtures.ts";
export * from "./world.ts";
