import { execFile } from "node:child_process";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { SignatureFound, Signer } from "../../../src/agents/model_deployer/domain/models/signers.ts";
import { SignatureVerifier } from "../../../src/mlops/signing/signature_verifier.ts";
import { ensureToolsEnvironment } from "../../../src/platform/python/python_environment.ts";
import { ensureSigningEnvironment } from "../../../src/platform/python/signing_environment.ts";

const run = promisify(execFile);
const cacheDirectory = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");

/** The environment with model-signing, made when it is missing. */
export async function signingEnvironment() {
  const { uv } = await ensureToolsEnvironment({ cacheDirectory });
  return ensureSigningEnvironment({ cacheDirectory, uv });
}

/** Signs a folder by the program that a team would sign with, into `model.sig` in it unless told. */
export async function signByProgram(
  folder: string,
  options: readonly string[],
  signature = join(folder, "model.sig"),
): Promise<void> {
  const { modelSigning } = await signingEnvironment();
  await run(modelSigning, [
    "sign",
    ...options.slice(0, 1),
    folder,
    ...options.slice(1),
    "--signature",
    signature,
  ]);
}

/** A folder with a model's folder of two files in it. */
export async function unsignedModel(): Promise<{ folder: string; model: string }> {
  const folder = await mkdtemp(join(tmpdir(), "model-deployer-signing-"));
  const model = join(folder, "model");
  await mkdir(join(model, "data"), { recursive: true });
  await writeFile(join(model, "MLmodel"), "flavors: {}\n");
  await writeFile(join(model, "data", "weights.bin"), "0123456789");
  return { folder, model };
}

/** Who of them signed the folder, as the installation's verifier says. */
export function verifiedSigner(
  folder: string,
  signers: Signer[],
  trustedRoot: string | null = null,
): Promise<SignatureFound> {
  const verifier = new SignatureVerifier({ environment: signingEnvironment, trustedRoot });
  const allowed = { experiment_id: "churn", signers };
  return verifier.verify(folder, "runs:/1/model", allowed, { signal: new AbortController().signal });
}
