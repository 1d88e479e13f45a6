import { describeDatabase } from "../../../src/testing/contracts/database_contract.ts";
import { createEmptyWorld } from "../../integration/database/world.ts";

describeDatabase("Postgres", createEmptyWorld);
