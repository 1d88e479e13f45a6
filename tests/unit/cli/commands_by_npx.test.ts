import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { commandsByNpx } from "../../../src/cli/output/terminal/commands_by_npx.ts";
import { runCli } from "../../../src/cli/program.ts";

const typed = commandsByNpx(["up", "approve", "rollback"]);

test.each([
  ["model-deployer up", "npx model-deployer up"],
  [
    "run `model-deployer approve op_1`, or model-deployer rollback",
    "run `npx model-deployer approve op_1`, or npx model-deployer rollback",
  ],
  [
    "model-deployer --token-file people/omar.token approve op_1",
    "npx model-deployer --token-file people/omar.token approve op_1",
  ],
  ["npx model-deployer up", "npx model-deployer up"],
  ["/home/ana/model-deployer up the hill", "/home/ana/model-deployer up the hill"],
  ["my-model-deployer up", "my-model-deployer up"],
  ["model-deployer upstairs and model_deployer up", "model-deployer upstairs and model_deployer up"],
])("%j is shown as %j to whoever came by npx", (text, shown) => {
  expect(typed(text)).toBe(shown);
});

async function run(words: string[], environment: Record<string, string>) {
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  const opened = () => expect.fail("nothing is opened");
  await runCli(words, {
    ...{ streams, environment, signal: AbortSignal.timeout(60_000) },
    ...{ openDeployer: opened, openObserver: opened },
  });
  return `${String(streams.stdout.read() ?? "")}${String(streams.stderr.read() ?? "")}`;
}

test("what a command says to do next can be typed as it stands: by npx where it came by npx, and in no document", async () => {
  const environment = { MODEL_DEPLOYER_URL: "http://127.0.0.1:9", XDG_CONFIG_HOME: "/nonexistent" };
  const byNpx = { ...environment, npm_command: "exec" };
  expect(await run(["status"], byNpx)).toMatch(/`npx model-deployer login`/);
  expect(await run(["status"], environment)).toMatch(/`model-deployer login`/);
  expect(await run(["status", "--json"], byNpx)).not.toContain("npx");
});
