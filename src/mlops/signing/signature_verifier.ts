import { chmod, lstat, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import {
  MOST_SIGNATURE_BYTES,
  refusedSignature,
  SIGNATURE_FILE,
  type SignatureProblem,
} from "../../agents/model_deployer/domain/models/refused_signature.ts";
import {
  type AllowedSigners,
  type SignatureFound,
  type Signer,
  signerId,
  signerName,
} from "../../agents/model_deployer/domain/models/signers.ts";
import {
  ArtifactRejectedError,
  ConfigurationError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import type { LongCallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import { availableIsolation, contained } from "../../platform/containment/containment.ts";
import { lastWords, runBounded } from "../../platform/processes/bounded_program.ts";
import { childEnvironment } from "../../platform/processes/child_environment.ts";
import type { SigningEnvironment } from "../../platform/python/signing_environment.ts";
import { isMissing } from "../../platform/system_errors.ts";

const script = fileURLToPath(new URL("./verify_signature.py", import.meta.url));
/** Hashing 8 GiB takes less than a minute on a usual disk. */
const LIMIT_MS = 1_800_000;

const answerSchema = z.discriminatedUnion("found", [
  z.strictObject({ found: z.literal("signed"), signer: z.int().min(0), subject: z.string().nullable() }),
  z.strictObject({
    found: z.enum(["unreadable", "files_differ", "files_not_covered", "not_allowed"]),
    detail: z.string(),
  }),
]);

export interface SignatureVerifierOptions {
  /** Made on the first call, since few installations ask for signatures. */
  environment: (options: LongCallOptions) => Promise<SigningEnvironment>;
  /** A trusted root of Sigstore's, by which identities are verified; null where nobody brought one. */
  trustedRoot: string | null;
}

/** Verifies signatures by PyPI's `model-signing`, contained where the kernel can, and without network. */
export class SignatureVerifier {
  readonly #options: SignatureVerifierOptions;

  constructor(options: SignatureVerifierOptions) {
    this.#options = options;
  }

  /**
   * Who signed the files of a folder, of those who may.
   * @param where the artifact's address, for whoever reads the refusal
   * @throws ArtifactRejectedError whose `details.problem` says what is wrong; ConfigurationError without a trusted root
   * for an identity; ServiceUnavailableError when the environment cannot be made or the reading is cut off
   */
  async verify(
    folder: string,
    where: string,
    allowed: AllowedSigners,
    options: LongCallOptions,
  ): Promise<SignatureFound> {
    const problem = await problemOfFile(join(folder, SIGNATURE_FILE));
    if (problem !== null) throw rejected(problem, allowed, where);
    const trust = await this.#trust(allowed);
    const environment = await this.#options.environment(options);
    options.onProgress?.(`verifying the signature of ${where}`);
    const answer = await withScratch((scratch) =>
      run(environment, { folder, scratch, signers: allowed.signers, trust }, where, options.signal),
    );
    if (answer.found !== "signed")
      throw rejected({ problem: answer.found, detail: answer.detail }, allowed, where);
    const signer = allowed.signers[answer.signer];
    if (signer === undefined) throw unreadable(where, `it names signer ${answer.signer}`);
    return { kind: signer.kind, name: shortName(signer), signer: signerId(signer), subject: answer.subject };
  }

  async #trust({ experiment_id, signers }: AllowedSigners): Promise<string | null> {
    if (signers.every(({ kind }) => kind !== "identity")) return null;
    const { trustedRoot } = this.#options;
    const setting = "MODEL_DEPLOYER_SIGSTORE_TRUSTED_ROOT";
    if (trustedRoot === null) {
      throw new ConfigurationError(
        `The policy of ${experiment_id} names an identity, which is verified by a trusted root of Sigstore's, and nothing is fetched for it: set ${setting} to a file with one, such as the trusted_root.json of your Sigstore.`,
      );
    }
    return readFile(trustedRoot, "utf8").catch((cause: unknown) => {
      throw new ConfigurationError(
        `${setting}=${trustedRoot} cannot be read: name a file with a trusted root.`,
        {
          cause,
        },
      );
    });
  }
}

const shortName = (signer: Signer): string =>
  signer.kind === "identity" ? signer.identity : signerName(signer);

async function problemOfFile(path: string): Promise<SignatureProblem | null> {
  const found = await lstat(path).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
  if (found === null) return { problem: "missing", detail: `it has no ${SIGNATURE_FILE}` };
  if (!found.isFile()) return { problem: "unreadable", detail: `${SIGNATURE_FILE} is no regular file` };
  if (found.size <= MOST_SIGNATURE_BYTES) return null;
  const detail = `${SIGNATURE_FILE} has ${found.size} bytes, and may have ${MOST_SIGNATURE_BYTES}`;
  return { problem: "unreadable", detail };
}

function rejected(problem: SignatureProblem, allowed: AllowedSigners, where: string): ArtifactRejectedError {
  const { sentence, next } = refusedSignature(problem, allowed, where);
  return new ArtifactRejectedError(sentence, { details: { ...problem }, next });
}

const unreadable = (where: string, why: string, cause?: unknown): ServiceUnavailableError =>
  new ServiceUnavailableError("model signing", `verifying the signature of ${where} gave no answer: ${why}`, {
    cause,
  });

interface Request {
  folder: string;
  scratch: string;
  signers: Signer[];
  trust: string | null;
}

async function run(
  environment: SigningEnvironment,
  { folder, scratch, signers, trust }: Request,
  where: string,
  signal: AbortSignal,
): Promise<z.infer<typeof answerSchema>> {
  const request = {
    folder,
    signature: join(folder, SIGNATURE_FILE),
    signers: await Promise.all(
      signers.map((signer, index) => fileOf(signer, join(scratch, String(index)), trust)),
    ),
  };
  const file = join(scratch, "request.json");
  await writeFile(file, JSON.stringify(request));
  const plain = { command: environment.python, args: ["-I", script, file] };
  const program =
    (await availableIsolation()) === "none"
      ? plain
      : await contained(
          plain,
          { read: [environment.directory, script, folder, scratch], write: [], port: null },
          { network: [] },
        );
  const ended = await runBounded({ ...program, env: childEnvironment(), limitMs: LIMIT_MS, signal });
  if ("failed" in ended) throw unreadable(where, `${ended.failed}: ${lastWords(ended.stderr)}`, ended.cause);
  return answerSchema.parse(JSON.parse(ended.stdout));
}

/** A signer as the script reads it, with its key, certificates or trusted root in a file. */
async function fileOf(signer: Signer, file: string, trust: string | null) {
  const { kind } = signer;
  switch (kind) {
    case "key":
      await writeFile(file, signer.public_key);
      return { kind, file };
    case "certificate":
      await writeFile(file, signer.certificates);
      return { kind, file };
    case "identity":
      await writeFile(file, trust ?? "");
      return { kind, identity: signer.identity, issuer: signer.issuer, trust: file };
    default:
      return kind satisfies never;
  }
}

/** A folder that whoever verifies may read, as another user too. */
async function withScratch<T>(use: (scratch: string) => Promise<T>): Promise<T> {
  const scratch = await mkdtemp(join(tmpdir(), "model-deployer-signature-"));
  try {
    await chmod(scratch, 0o755);
    return await use(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
