import { createHash, randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Stage } from "../../../agents/model_deployer/domain/entities.ts";
import type { CallOptions } from "../../../agents/model_deployer/ports/call_options.ts";
import type {
  ModelRegistry,
  RegisteredVersion,
} from "../../../agents/model_deployer/ports/model_registry_port.ts";
import type { RunSeed } from "../../in_memory/run_seed.ts";

export interface SeededRun {
  run_id: string;
  /** By the model's name. */
  model_ids: Record<string, string>;
}

/** The suite's needs besides the port. */
export interface ModelRegistryHarness {
  registry: ModelRegistry;
  seedRun(seed: Omit<RunSeed, "run_id">): Promise<SeededRun>;
  /** The stage shown by a version and the aliases that point at it, sorted. */
  projectionOf(modelName: string, version: number): Promise<{ stage: Stage | null; aliases: string[] }>;
}

const MLMODEL = [
  "flavors:",
  "  python_function:",
  "    loader_module: mlflow.sklearn",
  "  sklearn:",
  "    code: null",
  "run_id: x",
  "signature:",
  `  inputs: '[{"type": "double", "name": "age", "required": true}]'`,
  `  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'`,
  "  params: null",
  "",
].join("\n");
export const MODEL_FILES = {
  MLmodel: MLMODEL,
  "data/weights.bin": "0123456789",
  "a name with spaces é.txt": "x",
};
export const SIGNATURE = {
  inputs: [{ name: "age", type: "double", required: true }],
  outputs: [{ name: null, type: "tensor of float64 [-1]", required: true }],
  params: [],
};
export const PREPROCESSING = {
  "preprocessing/scaler.json": '{"mean":0}',
  "preprocessing/deep/er/columns.txt": "a\nb",
};
export const options: CallOptions = { signal: new AbortController().signal };
export const newName = (): string => `contract_${randomUUID().slice(0, 8)}`;

/** A prepared registry with two runs, each with a model and preprocessing of its own. */
export class Bench {
  readonly harness: ModelRegistryHarness;
  readonly registry: ModelRegistry;
  readonly run: SeededRun;
  readonly other: SeededRun;

  constructor(harness: ModelRegistryHarness, run: SeededRun, other: SeededRun) {
    this.harness = harness;
    this.registry = harness.registry;
    this.run = run;
    this.other = other;
  }

  static async prepare(prepare: () => Promise<ModelRegistryHarness>): Promise<Bench> {
    const harness = await prepare();
    const seed = { algorithm: "sklearn", models: { model: MODEL_FILES }, artifacts: PREPROCESSING };
    const metrics = { roc_auc: 0.91, zero: 0, loss: Number.NaN, up: Infinity, down: -Infinity };
    return new Bench(harness, await harness.seedRun({ ...seed, metrics }), await harness.seedRun(seed));
  }

  async register(
    modelName: string,
    requestKey: string,
    change: { run_id?: string; source?: string } = {},
  ): Promise<RegisteredVersion> {
    const { run_id } = this.run;
    const input = { model_name: modelName, run_id, source: `runs:/${run_id}/model`, request_key: requestKey };
    return await this.registry.registerVersion({ ...input, ...change }, options);
  }
}

/** The digest as the port defines it, computed without the adapter's code. */
export function expectedDigest(files: Record<string, string>): string {
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const lines = Object.entries(files).map(([path, text]) => `${sha256(text)}  ${path}\n`);
  return sha256(lines.sort().join(""));
}

export async function filesIn(folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files[path.slice(folder.length + 1)] = await readFile(path, "utf8");
  }
  return files;
}
