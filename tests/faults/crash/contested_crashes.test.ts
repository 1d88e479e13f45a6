import { testRows } from "../harness/row_test.ts";
import { contestedCrashRows } from "../rows/processes/crashes.ts";

testRows(contestedCrashRows);
