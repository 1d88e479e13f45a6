import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";

test("the README shows the example that the tests compile and run", async () => {
  const [readme, example] = await Promise.all([
    readFile("README.md", "utf8"),
    readFile("examples/own_graph.ts", "utf8"),
  ]);
  expect(readme).toContain("```ts\n" + example + "```");
});
