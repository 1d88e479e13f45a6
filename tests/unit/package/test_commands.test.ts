import { execa } from "execa";
import { expect, test } from "vitest";
import { faultRows } from "../../faults/rows/index.ts";

async function run(program: string, ...words: string[]) {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [`tests/${program}/main.ts`, ...words], {
    reject: false,
    stdin: "ignore",
  });
  return { exitCode, stdout, stderr };
}

test("each long suite says how it is called, and does nothing else", async () => {
  for (const program of ["faults", "walk", "kubernetes"]) {
    const { exitCode, stdout, stderr } = await run(program, "--help");
    expect({ exitCode, stderr }, program).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^Usage: npm run test:${program} --`));
    for (const { name, fault } of program === "faults" ? faultRows : []) {
      expect(stdout).toContain(`  ${name}\n`);
      expect(stdout, name).toContain(fault);
    }
  }
});

test.each([
  ["faults", ["--rows=all"], /^error: unknown option '--rows=all'/],
  ["faults", ["--row=crash"], /'crash' is invalid\. The names are crash-register, /],
  ["walk", ["--sequence=5"], /^error: unknown option '--sequence=5'/],
  ["walk", ["--sequences=0"], /'0' is invalid\. Give a whole number from 1/],
  ["walk", ["--seconds=1e"], /'1e' is invalid\. Give a number/],
  ["walk", ["--database=mysql://here/x"], /Give an address such as postgres:/],
  ["kubernetes", ["--verbose"], /^error: unknown option '--verbose'/],
])("%s %j is a sentence and ends with 2", async (program, words, sentence) => {
  const { exitCode, stdout, stderr } = await run(program, ...words);
  expect(stderr).toMatch(sentence);
  expect(stderr).not.toContain("    at ");
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
});
