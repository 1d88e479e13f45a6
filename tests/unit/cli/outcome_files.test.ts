import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  type FileEntry,
  type FileFormat,
  readEntries,
} from "../../../src/cli/commands/outcomes/outcome_files.ts";

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "outcomes-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function read(content: string, format: FileFormat) {
  const path = join(await folder(), `outcomes.${format}`);
  await writeFile(path, content);
  return entriesOf(path, format);
}

async function entriesOf(path: string, format: FileFormat): Promise<FileEntry[]> {
  const entries: FileEntry[] = [];
  for await (const entry of readEntries(path, format)) entries.push(entry);
  return entries;
}

test("what a text of JSON may have within it ends no line, and a mark of its order is none of it", async () => {
  const entry = { request_id: "r1", outcome: "a\u2028b\u0085c" };
  const content = `\uFEFF${JSON.stringify(entry)}\r\n\r\n${JSON.stringify({ request_id: "r2", outcome: 0 })}`;
  expect(await read(content, "jsonl")).toEqual([
    { line: 1, entry },
    { line: 3, entry: { request_id: "r2", outcome: 0 } },
  ]);
});

test("cells are numbers and truth values where they read as such, but for ids that no number holds", async () => {
  const cells = ["1.50", "true", "maybe", "12345678901234567890"];
  const lines = cells.map((cell, index) => `r${index},${cell}`);
  const entries = await read(["request_id,outcome", ...lines].join("\n"), "csv");
  expect(entries.map(({ entry }) => entry)).toEqual(
    [1.5, true, "maybe", "12345678901234567890"].map((outcome, index) => ({
      request_id: `r${index}`,
      outcome,
    })),
  );
});

test.each([
  ["id,truth\n", /has the columns id, truth: its first line has to name request_id and outcome once/],
  ["request_id,outcome,outcome\nr1,1,0\n", /names outcome 2 times/],
])("columns that are missing or twice there are refused: %j", async (content, message) => {
  await expect(read(content, "csv")).rejects.toThrow(message);
});

test.each(["csv", "jsonl"] as const)(
  "a folder in place of a file ends the reading of %s with an error",
  async (format) => {
    const path = join(await folder(), `folder.${format}`);
    await mkdir(path);
    await expect(entriesOf(path, format)).rejects.toMatchObject({ code: "EISDIR" });
  },
);
