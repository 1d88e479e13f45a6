// Compares what we answer with what MLflow's own scoring server and mlflow.pyfunc answer, model by model.
// usage: node bench/answers/main.ts [--different]
import { homedir } from "node:os";
import { join } from "node:path";
import { compareGroup, ensureComparedEnvironment, groups, type Compared } from "./run.ts";

const cacheDirectory = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
const python = await ensureComparedEnvironment(cacheDirectory);
const compared: Compared[] = [];
for (const group of groups) compared.push(...(await compareGroup(python, group)));

process.stdout.write("| model | requests | equal | meant otherwise | different |\n|---|---|---|---|---|\n");
for (const { model, requests, verdicts, skipped, failed } of compared) {
  const { equal = 0, different = 0, ...meant } = verdicts;
  const told = Object.entries(meant).map(([reason, count]) => `${reason} ${count}`);
  const row = [
    model,
    requests,
    equal,
    told.join(", "),
    skipped ?? failed?.trim().split("\n").at(-1) ?? different,
  ];
  process.stdout.write(`| ${row.join(" | ")} |\n`);
}
const sum = (key: string) => compared.reduce((total, { verdicts }) => total + (verdicts[key] ?? 0), 0);
const requests = compared.reduce((total, row) => total + row.requests, 0);
process.stdout.write(
  `\n${compared.length} models, ${requests} requests: ${sum("equal")} equal, ${sum("different")} different\n`,
);
if (process.argv.includes("--different")) {
  for (const { model, different } of compared) {
    for (const one of different) process.stdout.write(`${model}: ${JSON.stringify(one)}\n`);
  }
}
process.exitCode = compared.some((row) => row.failed !== undefined || row.different.length > 0) ? 1 : 0;
