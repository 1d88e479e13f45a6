import { createHash } from "node:crypto";
import { chmod, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { EnvironmentPackages } from "../../agents/model_deployer/domain/models/environment_packages.ts";
import {
  vulnerabilityReportSchema,
  type VulnerabilityReport,
} from "../../agents/model_deployer/domain/models/known_vulnerabilities.ts";
import { ConfigurationError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type { KnownVulnerabilities } from "../../agents/model_deployer/ports/vulnerability_port.ts";
import { availableIsolation, contained } from "../../platform/containment/containment.ts";
import { lastWords, runBounded } from "../../platform/processes/bounded_program.ts";
import { childEnvironment } from "../../platform/processes/child_environment.ts";

const script = fileURLToPath(new URL("./match_osv.py", import.meta.url));
/** All of PyPI's entries, 20,000 files, take some seconds. */
const LIMIT_MS = 120_000;
const answerSchema = z.union([
  z.strictObject({ problem: z.string() }),
  vulnerabilityReportSchema.omit({ source: true, unmatched: true }),
]);
const MOST_KEPT = 50;
const FRESH_MS = 60_000;

export interface OsvVulnerabilitiesOptions {
  /** A folder, a zip or a file with entries, `MODEL_DEPLOYER_VULNERABILITIES`. */
  place: string;
  /** A Python with `packaging` and `cvss`, as the tools' environment has it; null where it is not made. */
  python: () => Promise<string | null>;
}

/** Known vulnerabilities by entries in the format of OSV that the user brought; nothing is asked over the network. */
export class OsvVulnerabilities implements KnownVulnerabilities {
  readonly #options: OsvVulnerabilitiesOptions;
  /** Reports by what they rest on, since a plan is made several times; a file of a folder changes without the folder. */
  readonly #known = new Map<string, { report: VulnerabilityReport; at: number }>();

  constructor(options: OsvVulnerabilitiesOptions) {
    this.#options = options;
  }

  async affecting(environment: EnvironmentPackages, { signal }: CallOptions): Promise<VulnerabilityReport> {
    const { place } = this.#options;
    const packages = environment.packages.flatMap(({ name, version }) =>
      version === null ? [] : [{ name, version }],
    );
    const key = await this.#keyOf(packages);
    const before = this.#known.get(key);
    if (before !== undefined && performance.now() - before.at < FRESH_MS) return before.report;
    const answer = await this.#match(packages, signal);
    if ("problem" in answer) throw unreadable(place, answer.problem);
    const unmatched = environment.packages.flatMap(({ name, version }) => (version === null ? [name] : []));
    const report = { ...answer, source: place, unmatched };
    if (this.#known.size >= MOST_KEPT) this.#known.clear();
    this.#known.set(key, { report, at: performance.now() });
    return report;
  }

  async #keyOf(packages: unknown): Promise<string> {
    const { place } = this.#options;
    const seen = await stat(place).catch((cause: unknown) => {
      throw unreadable(place, "there is nothing that can be read", cause);
    });
    const content = JSON.stringify([packages, seen.mtimeMs, seen.size, seen.ino]);
    return createHash("sha256").update(content).digest("hex");
  }

  async #match(packages: unknown, signal: AbortSignal): Promise<z.infer<typeof answerSchema>> {
    const { place } = this.#options;
    const python = await this.#options.python();
    if (python === null) throw unavailable("the tools' environment is not made; up and worker make it");
    const scratch = await mkdtemp(join(tmpdir(), "model-deployer-osv-"));
    try {
      await chmod(scratch, 0o755);
      const file = join(scratch, "packages.json");
      await writeFile(file, JSON.stringify(packages));
      const plain = { command: python, args: ["-I", script, place, file] };
      const needs = { read: [dirname(dirname(python)), script, place, scratch], write: [], port: null };
      const program =
        (await availableIsolation()) === "none" ? plain : await contained(plain, needs, { network: [] });
      const ended = await runBounded({ ...program, env: childEnvironment(), limitMs: LIMIT_MS, signal });
      if ("failed" in ended) throw unavailable(`${ended.failed}: ${lastWords(ended.stderr)}`, ended.cause);
      return answerSchema.parse(JSON.parse(ended.stdout));
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }
}

const unreadable = (place: string, why: string, cause?: unknown): ConfigurationError =>
  new ConfigurationError(
    `MODEL_DEPLOYER_VULNERABILITIES=${place} cannot be read: ${why}. Name a folder, a zip or a file with entries in the format of OSV, as osv.dev exports them for PyPI.`,
    { cause },
  );

const unavailable = (why: string, cause?: unknown): ServiceUnavailableError =>
  new ServiceUnavailableError(
    "known vulnerabilities",
    `known vulnerabilities could not be looked up: ${why}`,
    { cause },
  );
