import { execa, ExecaError } from "execa";
import { z } from "zod";
import { ServiceRefusedError, ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import { parsedJson } from "../../../platform/parsed_json.ts";
import { SERVICE } from "./cluster_errors.ts";

/** `user.exec` of a kubeconfig. */
export const execSchema = z.object({
  apiVersion: z.string(),
  command: z.string().min(1),
  args: z.array(z.string()).nullish(),
  env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
  installHint: z.string().optional(),
});
type ExecPlugin = z.infer<typeof execSchema>;

const credentialSchema = z.object({
  kind: z.literal("ExecCredential"),
  status: z.object({ token: z.string().min(1), expirationTimestamp: z.iso.datetime().nullish() }),
});

/** A plugin that asks a cloud takes seconds; one that waits for a person in a browser never ends here. */
const LIMIT_MS = 20_000;
const RENEWED_BEFORE_MS = 60_000;

/** Tokens of a kubeconfig's exec plugin, each kept until shortly before it expires or is refused. */
export class ExecCredentials {
  readonly #plugin: ExecPlugin;
  readonly #folder: string;
  readonly #limitMs: number;
  #kept: { token: string; until: number } | null = null;
  #asking: Promise<string> | null = null;

  /** @param folder of the kubeconfig, which a relative command is meant from */
  constructor(plugin: ExecPlugin, folder: string, limitMs = LIMIT_MS) {
    this.#plugin = plugin;
    this.#folder = folder;
    this.#limitMs = limitMs;
  }

  /** @throws ServiceUnavailableError where the plugin does not end in time; ServiceRefusedError where it gives no token */
  async token({ renewed }: { renewed: boolean; signal: AbortSignal }): Promise<string> {
    if (renewed) this.#kept = null;
    if (this.#kept !== null && Date.now() < this.#kept.until) return this.#kept.token;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #ask(): Promise<string> {
    const said = credentialSchema.safeParse(parsedJson(await this.#run()));
    if (!said.success) {
      throw new ServiceRefusedError(
        SERVICE,
        `the credential plugin ${this.#plugin.command} gave no ExecCredential with a token; run it by hand to see what it says`,
      );
    }
    const { token, expirationTimestamp } = said.data.status;
    const until =
      expirationTimestamp === undefined || expirationTimestamp === null
        ? Infinity
        : Date.parse(expirationTimestamp) - RENEWED_BEFORE_MS;
    this.#kept = { token, until };
    return token;
  }

  async #run(): Promise<string> {
    const { command, args, env, apiVersion, installHint } = this.#plugin;
    const info = { apiVersion, kind: "ExecCredential", spec: { interactive: false } };
    const variables = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
    try {
      const { stdout } = await execa(command, args ?? [], {
        cwd: this.#folder,
        env: { ...variables, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
        stdin: "ignore",
        timeout: this.#limitMs,
        killSignal: "SIGKILL",
      });
      return stdout;
    } catch (cause) {
      if (!(cause instanceof ExecaError)) throw cause;
      const hint = installHint === undefined ? "" : ` ${installHint}`;
      if (cause.timedOut) {
        const message = `the credential plugin ${command} gave no token within ${this.#limitMs / 1000} s: run it by hand, it may be waiting for a login.${hint}`;
        throw new ServiceUnavailableError(SERVICE, message, { cause });
      }
      const message = `the credential plugin ${command} failed: ${cause.shortMessage}.${hint}`;
      throw new ServiceRefusedError(SERVICE, message, { cause });
    }
  }
}
