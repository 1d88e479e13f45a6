import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "@commander-js/extra-typings";
import { parseWords } from "../support/programs/parsed_words.ts";
import { findBinaries } from "./api_server_binaries.ts";
import { startWayOut } from "./egress.ts";

/**
 * Runs the suites of Kubernetes against a real API server: that of KUBECONFIG, or one that is built of Debian's packages and
 * runs in namespaces of its own with a node whose pods are processes of this machine. Everything in them ends with it.
 */
const SUITES = ["npx", "vitest", "run", "--project", "kubernetes"];
const cache = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
const program = new Command("npm run test:kubernetes --")
  .description(
    "The suites of Kubernetes on a real API server: that of KUBECONFIG, or one of Debian's packages, as root.",
  )
  .argument("[command...]", "another command than the suites, such as `node demo/main.ts`")
  .passThroughOptions();
parseWords(program);
const asked = program.args;
const command = asked.length === 0 ? SUITES : asked;

async function main(): Promise<number> {
  if (process.env["KUBECONFIG"] !== undefined) return run(command[0] ?? "", command.slice(1), process.env);
  if (process.getuid?.() !== 0) return skipped("only root can give pods a network of their own");
  const binaries = await findBinaries(cache);
  if ("missing" in binaries) return skipped(binaries.missing);
  const folder = await mkdtemp(join(tmpdir(), "kubernetes-"));
  const close = await startWayOut(join(folder, "way-out.sock"));
  try {
    const inside = fileURLToPath(new URL("inside.ts", import.meta.url));
    const apart = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const told = { ...process.env, KUBERNETES_TEST_FOLDER: folder, ...namesOf(binaries) };
    return await run("unshare", [...apart, process.execPath, inside, ...command], told);
  } finally {
    close();
    await rm(folder, { recursive: true, force: true });
  }
}

const namesOf = (binaries: object) => ({ KUBERNETES_TEST_BINARIES: JSON.stringify(binaries) });

function skipped(reason: string): number {
  process.stderr.write(`skipped: the suites of Kubernetes on a real API server: ${reason}\n`);
  return 0;
}

async function run(program: string, args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit", env });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  await once(child, "exit");
  return child.exitCode ?? 1;
}

process.exitCode = await main();
