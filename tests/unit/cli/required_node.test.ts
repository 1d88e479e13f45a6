import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { z } from "zod";
import { nodeProblem } from "../../../src/cli/required_node.ts";

const packageSchema = z.object({ engines: z.object({ node: z.string() }) });
const cli = (file: string) => readFile(new URL(`../../../src/cli/${file}`, import.meta.url), "utf8");

test.each(["20.20.2", "22.18.0", "18.0.0"])(
  "Node %s is refused in one sentence with the way out",
  (version) => {
    expect(nodeProblem(version)).toMatch(
      new RegExp(`22\\.19 or newer, and this one is ${version}: .*node@24`),
    );
  },
);

test.each(["22.19.0", "22.20.1", "24.0.0"])("Node %s runs it", (version) => {
  expect(nodeProblem(version)).toBeNull();
});

test("the package asks npm for the same Node", async () => {
  const text = await readFile(new URL("../../../package.json", import.meta.url), "utf8");
  const asked = packageSchema.parse(JSON.parse(text)).engines.node;
  const [major, minor] = asked.replace(">=", "").split(".").map(Number);
  expect(nodeProblem(asked.replace(">=", ""))).toBeNull();
  expect(nodeProblem(`${major}.${(minor ?? 0) - 1}.0`)).not.toBeNull();
});

test("an older Node gets as far as being told, since nothing that it lacks is imported by name before", async () => {
  for (const file of ["main.ts", "compiled.ts", "required_node.ts"])
    expect(await cli(file)).not.toMatch(/^import \{[^}]*\} from "node:module"/m);
});
