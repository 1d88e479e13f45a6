import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

async function printed(...words: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [program, ...words])).stdout;
}

/** The words on offer after these, the last of which may be a beginning. */
async function offered(...words: string[]): Promise<string[]> {
  const lines = (await printed("complete", "--", ...words)).split("\n");
  return lines.flatMap((line) => (line === "" || line.startsWith(":") ? [] : [line.split("\t")[0] ?? ""]));
}

test.for<[string[], string[]]>([
  [["roll"], ["rollback"]],
  [
    ["policy", ""],
    ["show", "set"],
  ],
  [["rollback", "--cond"], ["--condemned-because"]],
  [
    ["apply", "pro"],
    ["promote", "promote-now"],
  ],
  [
    ["completion", ""],
    ["bash", "zsh", "fish", "powershell"],
  ],
  [["nosuch", ""], []],
])("after %j a shell offers %j", async ([words, expected]) => {
  const found = await offered(...words);
  expect(expected.filter((word) => !found.includes(word))).toEqual([]);
  if (expected.length === 0) expect(found).toEqual([]);
});

test("what only the shell's script asks for is not on offer", async () => {
  expect(await offered("comp")).toEqual(["completion"]);
});

test("bash reads the script, which asks this program", async () => {
  const script = await printed("completion", "bash");
  const parsed = promisify(execFile)("bash", ["-n", "-c", script]);
  await expect(parsed).resolves.toMatchObject({ stderr: "" });
  expect(script).toContain("model-deployer complete --");
});

test("a shell that is not known is refused with those that are", async () => {
  const refused = printed("completion", "tcsh");
  await expect(refused).rejects.toMatchObject({ code: 2 });
  await expect(refused).rejects.toThrow(/bash, zsh, fish, powershell/);
});
