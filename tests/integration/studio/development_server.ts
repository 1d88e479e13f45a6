import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@langchain/langgraph-sdk";
import { expect, inject, onTestFinished } from "vitest";
import { z } from "zod";
import { childEnvironment } from "../../../src/platform/processes/child_environment.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { installedPackage } from "../../support/programs/installed_package.ts";
import { findFreePort } from "../../../src/platform/free_port.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const packageSchema = z.object({ scripts: z.object({ studio: z.string() }) });
const graphsSchema = z.object({ graphs: z.record(z.string(), z.string()) });

export interface DevelopmentServer {
  client: Client;
  url: string;
  /** Where its models, servers and routers would be. */
  home: string;
}

/**
 * The development server that `npm run studio` starts, on the graphs of langgraph.json, with the environment given. Its
 * own files go to a folder of the test; it ends with the test.
 */
export async function startDevelopmentServer(
  environment: Record<string, string>,
): Promise<DevelopmentServer> {
  const cli = await installedCli();
  const folder = await mkdtemp(join(tmpdir(), "model-deployer-studio-"));
  const home = join(folder, "home");
  await writeGraphs(folder);
  const port = await findFreePort();
  const log = join(folder, "server.log");
  const output = openSync(log, "w");
  const child = spawn(
    process.execPath,
    [cli, "dev", "--no-browser", "--host", "127.0.0.1", "--port", String(port)],
    {
      cwd: folder,
      env: childEnvironment({
        PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
        LANGGRAPH_CLI_NO_ANALYTICS: "1",
        LANGSMITH_TRACING: "false",
        MODEL_DEPLOYER_HOME: home,
        MODEL_DEPLOYER_CACHE: inject("cacheDirectory"),
        ...environment,
      }),
      stdio: ["ignore", output, output],
      detached: true,
    },
  );
  onTestFinished(async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  const client = new Client({ apiUrl: url, apiKey: null });
  await pollUntil(
    async () => {
      if (child.exitCode !== null) expect.fail(await readFile(log, "utf8"));
      return (await fetch(`${url}/ok`)).ok;
    },
    { deadlineMs: 120_000, what: "development server" },
  );
  return { client, url, home };
}

/** Those of this repository, as a folder elsewhere names them. */
async function writeGraphs(folder: string): Promise<void> {
  const { graphs } = graphsSchema.parse(JSON.parse(await readFile(join(root, "langgraph.json"), "utf8")));
  const moved = Object.entries(graphs).map(
    ([name, path]) => [name, relative(folder, join(root, path))] as const,
  );
  const content = JSON.stringify({ graphs: Object.fromEntries<string>(moved) });
  await writeFile(join(folder, "langgraph.json"), content);
}

/** The very version that package.json names: as a dependency it leaves npm no whole lockfile. */
async function installedCli(): Promise<string> {
  const { scripts } = packageSchema.parse(JSON.parse(await readFile(join(root, "package.json"), "utf8")));
  const wanted = /@langchain\/langgraph-cli@([\d.]+)/.exec(scripts.studio)?.[1] ?? "";
  const folder = await installedPackage("@langchain/langgraph-cli", wanted);
  return join(folder, "node_modules/@langchain/langgraph-cli/dist/cli/cli.mjs");
}

/** With the processes that it has started itself. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const ended = once(child, "exit");
  process.kill(-child.pid, "SIGKILL");
  await ended;
}
