import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import {
  type Format,
  type LoadingReport,
  loadingReportSchema,
} from "../../agents/model_deployer/domain/models/loading_report.ts";
import { ArtifactRejectedError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { availableIsolation, contained } from "../../platform/containment/containment.ts";
import { describedFormats } from "./described_formats.ts";
import { childEnvironment, scriptPython } from "../../platform/processes/child_environment.ts";

const script = fileURLToPath(new URL("./read_imports.py", import.meta.url));
const LIMIT_MS = 300_000;
const picklesSchema = loadingReportSchema.pick({ pickles: true });

/**
 * The effects of loading the files of a model: its formats by its description and by what lies in it, and the names that its
 * pickles import. Nothing of it is loaded, and it is read in a containment where there is one.
 * @throws ServiceUnavailableError when the reading is cut off
 */
export async function inspectLoading(folder: string, signal: AbortSignal): Promise<LoadingReport> {
  const [described, files, pickles] = await Promise.all([
    readFile(join(folder, "MLmodel"), "utf8").catch(() => ""),
    readdir(folder, { recursive: true }),
    readPickles(folder, signal),
  ]);
  const { formats, trusted_types } = describedFormats(described);
  if (pickles.length > 0) formats.add("pickle");
  if (files.some((path) => path.endsWith(".safetensors"))) formats.add("safetensors");
  return { formats: [...formats].sort(), pickles, trusted_types };
}

/** @throws ArtifactRejectedError that names each format that is not allowed */
export function assertFormats(report: LoadingReport, allowed: readonly Format[], where: string): void {
  const refused = report.formats.filter((format) => !allowed.includes(format));
  if (refused.length === 0) return;
  throw new ArtifactRejectedError(
    `${where} is ${refused.join(", ")}, and MODEL_DEPLOYER_FORMATS allows ${allowed.join(", ")}: save the model in one of these, or allow ${refused.length === 1 ? "it" : "them"} by name`,
    { details: { refused, allowed: [...allowed] } },
  );
}

async function readPickles(folder: string, signal: AbortSignal): Promise<LoadingReport["pickles"]> {
  const plain = { command: scriptPython(), args: ["-I", "-S", script, folder] };
  const program =
    (await availableIsolation()) === "none"
      ? plain
      : await contained(plain, { read: [script, folder], write: [], port: null }, { network: [] });
  const answer = await execa(program.command, program.args, {
    env: childEnvironment(),
    extendEnv: false,
    stdin: "ignore",
    timeout: LIMIT_MS,
    cancelSignal: signal,
  }).catch((cause: unknown) => {
    throw new ServiceUnavailableError("model files", `reading what ${folder} imports was cut off`, { cause });
  });
  return picklesSchema.parse(JSON.parse(answer.stdout)).pickles;
}
