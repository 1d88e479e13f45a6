import { describeDatabase } from "../../../src/testing/contracts/database.ts";
import { createEmptyWorld } from "../../integration/database/world.ts";

describeDatabase("Postgres", createEmptyWorld);
