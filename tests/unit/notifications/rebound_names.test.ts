import type { LookupAddress } from "node:dns";
import { expect, test } from "vitest";
import { reachableLookup } from "../../../src/notifications/reachable_address.ts";

const OUTSIDE = { address: "93.184.215.14", family: 4 };
const INSIDE = { address: "10.0.0.7", family: 4 };
const METADATA = { address: "169.254.169.254", family: 4 };

/** A name that is at other addresses each time it is asked for. */
function rebinding(...answers: LookupAddress[][]) {
  const asked: string[] = [];
  const url = new URL("https://hooks.example.org/T000");
  const lookUp = (mayBeInside: boolean) =>
    new Promise<unknown>((resolve) => {
      const look = reachableLookup(url, mayBeInside, (name, _, done) => {
        asked.push(name);
        done(null, answers.shift() ?? []);
      });
      look("hooks.example.org", { all: true }, (error, found) => resolve(error ?? found));
    });
  return { asked, lookUp };
}

test("a name that was outside and is inside the next time is looked at anew for each connection", async () => {
  const { asked, lookUp } = rebinding([OUTSIDE], [INSIDE], [METADATA]);
  expect(await lookUp(false)).toEqual([OUTSIDE]);
  expect(await lookUp(false)).toMatchObject({ code: "service_refused" });
  expect(await lookUp(true)).toMatchObject({ code: "service_refused" });
  expect(asked.length).toBe(3);
});

test("a connection goes to no other address than those that were looked at, and to none where one of them is inside", async () => {
  const { asked, lookUp } = rebinding([OUTSIDE, INSIDE], [OUTSIDE, METADATA]);
  expect(await lookUp(false)).toMatchObject({ code: "service_refused" });
  expect(await lookUp(true)).toMatchObject({ code: "service_refused" });
  expect(asked.length).toBe(2);
});
