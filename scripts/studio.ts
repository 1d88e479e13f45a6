import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { goesOnSentence } from "../src/cli/output/views/down_view.ts";
import { endedBySignals } from "../src/cli/ended_by_signals.ts";
import { readConfiguration } from "../src/wiring/settings/configuration.ts";
import { isPortFree } from "../src/platform/free_port.ts";
import { runningParts } from "../src/platform/processes/homes/stop_home.ts";
import { whenStarterEnds } from "../src/platform/processes/starter.ts";

/**
 * Runs the development server on a port that is free, ends it with all that it started, however this is ended, and says
 * what goes on running.
 *
 * usage: node scripts/studio.ts [--port=N] -- COMMAND [ARGUMENT ...]
 */
const { values, positionals } = parseArgs({
  options: { port: { type: "string", default: "2024" } },
  allowPositionals: true,
});
const [command = "", ...words] = positionals;
const wanted = Number(values.port);
if (command === "" || !Number.isInteger(wanted) || wanted < 1 || wanted > 65_535) {
  process.stderr.write(`--port ${JSON.stringify(values.port)} is no port; give one from 1 to 65535\n`);
  process.exit(2);
}

/** The port itself, or where somebody listens there, the next one that is free. */
async function freePort(first: number): Promise<number | null> {
  for (let port = first; port < Math.min(first + 100, 65_536); port += 1) {
    if (await isPortFree(port, "localhost")) return port;
  }
  return null;
}

/** The group ends with the returned function, or with this process, even where that is killed. */
function guarded(group: number): () => Promise<void> {
  const path = fileURLToPath(new URL("./group_guardian.ts", import.meta.url));
  const stdio = ["pipe", "ignore", "inherit"] as const;
  const guardian = spawn(process.execPath, [path, String(group)], { detached: true, stdio: [...stdio] });
  const over = once(guardian, "exit");
  return async () => {
    guardian.stdin.end();
    await over;
  };
}

const left = Promise.withResolvers<number>();
endedBySignals(process).addEventListener("abort", () => left.resolve(130));
whenStarterEnds(() => left.resolve(129));
const { home } = readConfiguration(process.env);
const servicesOf = async () =>
  (await runningParts(home)).filter(({ kind }) => kind === "service").map(({ name }) => name);
const before = await servicesOf();
const port = await freePort(wanted);
if (port === null) {
  process.stderr.write(`ports ${wanted} to ${wanted + 99} are taken; name a free one with --port\n`);
  process.exit(6);
}
if (port !== wanted) process.stderr.write(`port ${wanted} is taken, so Studio's server is at ${port}\n`);
const child = spawn(command, [...words, "--port", String(port)], {
  stdio: ["ignore", "inherit", "inherit"],
  detached: true,
});
const ended = new Promise<number>((resolve) => {
  child.once("error", (error) => {
    process.stderr.write(`${command} cannot be started: ${error.message}\n`);
    resolve(127);
  });
  child.once("exit", (code) => resolve(code ?? 1));
});
const endAll = child.pid === undefined ? null : guarded(child.pid);
const code = await Promise.race([ended, left.promise]);
await endAll?.();
const begun = (await servicesOf()).filter((name) => !before.includes(name));
const sentence = goesOnSentence(begun);
if (sentence !== null) process.stderr.write(`${sentence}\n`);
process.exit(code);
