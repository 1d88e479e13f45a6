import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";

test.each(["own_graph.ts", "mock_state.ts", "own_memory.test.ts"])(
  "the README shows the example %s, which the tests compile and run",
  async (name) => {
    const [readme, example] = await Promise.all([
      readFile("README.md", "utf8"),
      readFile(`examples/${name}`, "utf8"),
    ]);
    expect(readme).toContain("```ts\n" + example + "```");
  },
);
