import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inRotation, median, percentile } from "../support/figures.ts";
import { program, programKind } from "../support/program.ts";
import { option, printMachine, printTable, say } from "../support/report.ts";

/**
 * How long commands take to begin, beside `node -e 0` and, where they are installed, `git` and `kubectl`: to the end of
 * what only prints, and of the others to the moment when they ask the database, which here only listens. The built program
 * is measured where there is one, else its sources.
 *
 * usage: node bench/commands/main.ts [--rounds=10]
 */
const ROUNDS = option("rounds", 10);

const home = await mkdtemp(join(tmpdir(), "bench-commands-"));
let asked: () => void = () => undefined;
const server = createServer((socket) => {
  socket.on("error", () => undefined);
  asked();
}).listen(0, "127.0.0.1");
await once(server, "listening");
const address = server.address();
const port = typeof address === "object" && address !== null ? address.port : 0;
const environment = {
  ...process.env,
  MODEL_DEPLOYER_HOME: home,
  DATABASE_URL: `postgres://bench@127.0.0.1:${port}/none`,
  REDIS_URL: "redis://127.0.0.1:1",
  MLFLOW_TRACKING_URI: "http://127.0.0.1:1",
};

/** Milliseconds to the end; NaN where there is no such program. */
async function toEnd(command: string, ...words: string[]): Promise<number> {
  const begun = performance.now();
  const child = spawn(command, words, { env: environment, stdio: "ignore" });
  const ended: unknown[] = await Promise.race([once(child, "exit"), once(child, "error")]);
  return ended[0] === 0 ? performance.now() - begun : Number.NaN;
}

/** Milliseconds to the first word to the database; NaN where the command ends before. */
async function toDatabase(...words: string[]): Promise<number> {
  const first = Promise.withResolvers<number>();
  const begun = performance.now();
  asked = () => first.resolve(performance.now() - begun);
  const child = spawn(process.execPath, [program, ...words], { env: environment, stdio: "ignore" });
  const over = once(child, "exit");
  const ms = await Promise.race([first.promise, over.then(() => Number.NaN)]);
  child.kill("SIGKILL");
  await over;
  return ms;
}

const own = (...words: string[]) => toEnd(process.execPath, program, ...words);
const arms = [
  { name: "node -e 0", run: () => toEnd(process.execPath, "-e", "0") },
  { name: "git --version", run: () => toEnd("git", "--version") },
  { name: "kubectl version --client", run: () => toEnd("kubectl", "version", "--client") },
  { name: "--version", run: () => own("--version") },
  { name: "--help", run: () => own("--help") },
  { name: "completion bash", run: () => own("completion", "bash") },
  { name: "status: asks the database", run: () => toDatabase("status") },
  { name: "history: asks the database", run: () => toDatabase("history", "remission") },
  {
    name: "rollback: asks the database",
    run: () => toDatabase("rollback", "e2i_remission", "--reason", "bench"),
  },
];
// The first of each fills the cache of what is compiled.
for (const { run } of arms) await run();
const measured = await inRotation(ROUNDS, arms);
say(`${programKind}, ${ROUNDS} rounds, ms`);
printTable(
  ["", "median", "p95"],
  [...measured].map(([name, values]) => [name, median(values), percentile(values, 95)]),
);
printMachine();
server.close();
await rm(home, { recursive: true, force: true });
process.exit();
