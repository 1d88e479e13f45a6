import { testRows } from "./harness/row_test.ts";
import { harmRows } from "./rows/harm/index.ts";
import { faultRows } from "./rows/index.ts";
import { contestedCrashRows, crashRows } from "./rows/processes/crashes.ts";

// Files of their own have these, so that a run takes them side by side.
const elsewhere = [...crashRows, ...contestedCrashRows, ...harmRows];

testRows(faultRows.filter((row) => !elsewhere.includes(row)));
