import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ModelSignature } from "../../agents/model_deployer/domain/models/model_signature.ts";
import type { LoadingReport } from "../../agents/model_deployer/domain/models/loading_report.ts";
import { describedFormats } from "../../mlops/loading/described_formats.ts";
import { digestOfFiles } from "../../mlops/shared/artifact_digest.ts";
import { DESCRIPTION_FILE, signatureOf } from "../../mlops/mlflow/model_description.ts";
import type { Files } from "./run_seed.ts";

interface ArtifactFile {
  path: string;
  text: string;
}

const PICKLE = /\.(pkl|pickle|joblib|pt|dill)$/;

/** The files of all artifacts, by path under the artifact root, laid out as MLflow does. */
export class ArtifactFiles {
  readonly #files = new Map<string, string>();

  store(root: string, files: Files): void {
    for (const [path, text] of Object.entries(files)) this.#files.set(`${root}/${path}`, text);
  }

  copy(): ArtifactFiles {
    const copy = new ArtifactFiles();
    for (const [path, text] of this.#files) copy.#files.set(path, text);
    return copy;
  }

  removeUnder(root: string): void {
    for (const path of this.#files.keys()) if (path.startsWith(`${root}/`)) this.#files.delete(path);
  }

  /** Whether there is a file at the path, or under it. */
  has(root: string): boolean {
    return this.#under(root).length > 0;
  }

  /** The files at the path or under it, each by its path from there; a single file by its name. */
  ofArtifact(root: string): ArtifactFile[] {
    const base = this.#files.has(root) ? dirname(root) : root;
    return this.#under(root).map(([path, text]) => ({ path: path.slice(base.length + 1), text }));
  }

  /** Null where there is no description. @throws ArtifactRejectedError */
  signatureOf(root: string, uri: string): ModelSignature | null {
    const description = this.#files.get(`${root}/${DESCRIPTION_FILE}`);
    return description === undefined ? null : signatureOf(description, uri);
  }

  /** By the description and the names of the files, which are text here: their imports are not read. */
  loadingOf(root: string): LoadingReport {
    const { formats, trusted_types } = describedFormats(this.#files.get(`${root}/${DESCRIPTION_FILE}`) ?? "");
    const paths = this.ofArtifact(root).map(({ path }) => path);
    const pickles = paths.filter((path) => PICKLE.test(path));
    if (pickles.length > 0) formats.add("pickle");
    if (paths.some((path) => path.endsWith(".safetensors"))) formats.add("safetensors");
    const problem = "files in memory are not read";
    return {
      formats: [...formats].sort(),
      pickles: pickles.map((path) => ({ path, imports: [], problem })),
      trusted_types,
    };
  }

  #under(root: string): [string, string][] {
    return [...this.#files].filter(([path]) => isWithin(path, root));
  }
}

/** Whether it is the root, or lies under it. */
export function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}

export function digestOf(files: readonly ArtifactFile[]): string {
  return digestOfFiles(files.map(({ path, text }) => ({ path, sha256: sha256(text) })));
}

export async function writeInto(folder: string, files: readonly ArtifactFile[]): Promise<void> {
  for (const { path, text } of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
