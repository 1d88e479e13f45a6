import { harmRows } from "./rows/harm/index.ts";
import { faultRows } from "./rows/index.ts";
import { testRows } from "./harness/row_test.ts";

testRows(faultRows.filter((row) => !harmRows.includes(row)));
