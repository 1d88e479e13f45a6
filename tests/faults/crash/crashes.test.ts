import { testRows } from "../harness/row_test.ts";
import { crashRows } from "../rows/processes/crashes.ts";

testRows(crashRows);
