import { afterAll } from "vitest";
import { endHarmWorlds } from "./shared_world.ts";
import { harmRows } from "../rows/harm/index.ts";
import { testRows } from "../harness/row_test.ts";

afterAll(endHarmWorlds);
testRows(harmRows);
