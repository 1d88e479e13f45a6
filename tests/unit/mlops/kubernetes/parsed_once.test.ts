import { expect, test } from "vitest";
import { z } from "zod";
import { ParsedOnce } from "../../../../src/mlops/kubernetes/api/parsed_once.ts";

const objectSchema = z.object({
  metadata: z.object({ uid: z.string(), resourceVersion: z.string() }),
  phase: z.string(),
});

function counted() {
  const read: string[] = [];
  const schema = objectSchema.transform(({ metadata, phase }) => {
    read.push(`${metadata.uid} ${metadata.resourceVersion}`);
    return phase;
  });
  return { known: new ParsedOnce(schema), read };
}

const pod = (uid: string, resourceVersion: string, phase: string) => ({
  metadata: { uid, resourceVersion },
  phase,
});

test("an object is read again when its version changed, and only then", () => {
  const { known, read } = counted();
  expect(known.schema.parse(pod("a", "1", "Pending"))).toBe("Pending");
  known.listed();
  expect(known.schema.parse(pod("a", "1", "Pending"))).toBe("Pending");
  known.listed();
  expect(known.schema.parse(pod("a", "2", "Running"))).toBe("Running");
  expect(read).toEqual(["a 1", "a 2"]);
});

test("a list that is begun anew in its middle reads nothing twice", () => {
  const { known, read } = counted();
  known.schema.parse(pod("a", "1", "Pending"));
  known.schema.parse(pod("a", "2", "Running"));
  expect(known.schema.parse(pod("a", "2", "Running"))).toBe("Running");
  expect(read).toEqual(["a 1", "a 2"]);
});

test("an object that the lists no longer hold is forgotten", () => {
  const { known, read } = counted();
  known.schema.parse(pod("a", "1", "Pending"));
  known.listed();
  known.listed();
  known.schema.parse(pod("a", "1", "Pending"));
  expect(read).toEqual(["a 1", "a 1"]);
});

test.each([
  ["no object at all", null, []],
  ["one without a version", { metadata: { uid: "a" }, phase: "Pending" }, ["metadata", "resourceVersion"]],
  ["one of another form", { metadata: { uid: "a", resourceVersion: "1" }, phase: 1 }, ["phase"]],
])("%s is refused with its place each time", (_, given, path) => {
  const { known } = counted();
  for (let time = 0; time < 2; time += 1) {
    expect(known.schema.safeParse(given).error?.issues[0]?.path).toEqual(path);
    known.listed();
  }
});
