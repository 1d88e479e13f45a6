import { expect, test } from "vitest";
import { problemOf } from "../../../src/worker/same_problem.ts";

test.each([
  ["MLflow does not answer after 6 s", "MLflow does not answer after 7.5 s"],
  ["/home has 12 MB left", "/home has 1,024 MB left"],
  ["e2i_a is in use until 2026-01-01T00:00:00.12Z", "e2i_a is in use until 2026-01-02T10:00:09Z"],
  ["127.0.0.1:4001 refused", "127.0.0.1:4002 refused"],
  ["it took 12ms", "it took 345ms"],
])("%s, and %s are the same problem", (one, other) => {
  expect(problemOf(one)).toBe(problemOf(other));
});

test.each([
  ["e2i_scan1 had no router", "e2i_scan2 had no router"],
  ["e2i_scan.1 had no router", "e2i_scan.2 had no router"],
  ["e2i_scan-1 had no router", "e2i_scan-2 had no router"],
  ["e2i_scan:v1 does not start", "e2i_scan:v2 does not start"],
  ["dep_101 had no server", "dep_102 had no server"],
])("%s, and %s are two", (one, other) => {
  expect(problemOf(one)).not.toBe(problemOf(other));
});
