import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";

test.each([
  ["README.md", "own_graph.ts"],
  ["README.md", "mock_state.ts"],
  ["README.md", "own_memory.test.ts"],
  ["docs/agents.md", "own_agent.ts"],
])("%s shows the example %s, which the tests compile and run", async (page, name) => {
  const [shown, example] = await Promise.all([readFile(page, "utf8"), readFile(`examples/${name}`, "utf8")]);
  expect(shown).toContain("```ts\n" + example + "```");
});
