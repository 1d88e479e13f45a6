import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { untilAborted } from "../../agents/base/deadline.ts";
import type { ModelDeployer, ModelDeployerOptions } from "../../wiring/model_deployer.ts";
import { ConfigurationError, NotAuthenticatedError } from "../../agents/model_deployer/errors.ts";
import { type Configuration, readConfiguration } from "../../wiring/settings/configuration.ts";
import type { BegunHome } from "../../wiring/home/begun_home.ts";
import type { Observer, ObserverOptions } from "../../wiring/observer.ts";
import type { RemoteApi } from "../remote/remote_api.ts";
import type { Terminal } from "../output/terminal/terminal.ts";

export interface Globals {
  json?: true | undefined;
  home?: string | undefined;
  tokenFile?: string | undefined;
}

export interface HomeCallbacks {
  onProgress: (line: string) => void;
  onBegun: (service: string) => void;
}

/** How a command opens the parts that it works with. */
export interface Openers {
  openDeployer(configuration: Configuration, options: ModelDeployerOptions): Promise<ModelDeployer>;
  openObserver(configuration: Configuration, options: ObserverOptions): Promise<Observer>;
  /** Brings the home up meanwhile, for commands that serve; where it is left out, opening the deployer does. */
  beginHome?(configuration: Configuration, options: HomeCallbacks): Promise<BegunHome>;
}

export class Invocation {
  readonly terminal: Terminal;
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  readonly environment: Record<string, string | undefined>;
  readonly #globals: Globals;
  readonly #command: string;
  readonly #open: Openers;
  /** Services of the home that this command has started, which go on when it ends. */
  readonly begun: string[] = [];
  readonly #onBegun = (service: string) => void this.begun.push(service);
  #home: BegunHome | null = null;
  #tell: (line: string) => void = () => undefined;

  constructor(
    parts: Openers & {
      terminal: Terminal;
      signal: AbortSignal;
      environment: Record<string, string | undefined>;
      globals: Globals;
      /** As it is typed: `principals list`. */
      command: string;
    },
  ) {
    this.#command = parts.command;
    this.#open = parts;
    this.terminal = parts.terminal;
    this.signal = parts.signal;
    this.environment = parts.environment;
    this.#globals = parts.globals;
  }

  /** @param instead variables that stand in for the environment's. @throws ConfigurationError */
  async configuration(instead: Record<string, string> = {}): Promise<Configuration> {
    const { home, tokenFile } = this.#globals;
    const token = tokenFile === undefined ? undefined : await readToken(tokenFile);
    return readConfiguration({
      ...this.environment,
      ...instead,
      ...(home === undefined ? {} : { MODEL_DEPLOYER_HOME: home }),
      ...(token === undefined ? {} : { MODEL_DEPLOYER_TOKEN: token }),
    });
  }

  /** @throws NotAuthenticatedError */
  async token(): Promise<string> {
    const { token } = await this.configuration();
    if (token !== null) return token;
    throw new NotAuthenticatedError(
      "The requester is not known: set MODEL_DEPLOYER_TOKEN or name a --token-file; `principals enrol` makes a token.",
    );
  }

  /** The API that `MODEL_DEPLOYER_URL` names; null where it names none. @throws ConfigurationError | NotAuthenticatedError */
  async remote(): Promise<RemoteApi | null> {
    const url = this.environment["MODEL_DEPLOYER_URL"];
    if (url === undefined || url === "") return null;
    const { token } = await this.configuration();
    const [{ RemoteApi: Api }, { keptSession }] = await Promise.all([
      import("../remote/remote_api.ts"),
      import("../remote/kept_session.ts"),
    ]);
    const shown = token ?? (await keptSession(url, this.environment));
    return new Api({ url, token: shown, signal: this.signal });
  }

  /**
   * A command that no API carries out works with the database, and an operator's laptop has none.
   * @throws ConfigurationError where MODEL_DEPLOYER_URL names an API
   */
  refuseRemote(): void {
    if (!this.environment["MODEL_DEPLOYER_URL"]) return;
    throw new ConfigurationError(
      `${this.#command} does not go through the API, and MODEL_DEPLOYER_URL is set: run it where the deployer runs, without that variable.`,
    );
  }

  /** Brings up what serves while the rest of the command is still loaded. */
  async beginHome(): Promise<void> {
    this.refuseRemote();
    const told = { onProgress: (line: string) => this.#tell(line), onBegun: this.#onBegun };
    this.#home = (await this.#open.beginHome?.(await this.configuration(), told)) ?? null;
    // The rest of the program is loaded after this, since loading would delay the start of the servers.
    await this.#home?.awake;
  }

  async withDeployer<T>(
    work: (deployer: ModelDeployer) => Promise<T>,
    options: Pick<ModelDeployerOptions, "checkpointer" | "registryMayFollow"> = {},
  ): Promise<T> {
    this.refuseRemote();
    const configuration = await this.configuration();
    const begun = this.#home;
    this.#home = null;
    const deployer = await this.terminal.withProgress("connecting", (onProgress) => {
      this.#tell = onProgress;
      return untilAborted(this.signal, () =>
        this.#open.openDeployer(configuration, {
          ...options,
          ...(begun !== null && { begun }),
          via: "command_line",
          installation: configuration.installation,
          onProgress,
          onBegun: this.#onBegun,
        }),
      );
    });
    try {
      return await work(deployer);
    } finally {
      await deployer.close();
    }
  }

  async withObserver<T>(work: (observer: Observer) => Promise<T>): Promise<T> {
    this.refuseRemote();
    const configuration = await this.configuration();
    const observer = await this.terminal.withProgress("connecting to Postgres", (onProgress) =>
      untilAborted(this.signal, () =>
        this.#open.openObserver(configuration, { onProgress, onBegun: this.#onBegun }),
      ),
    );
    try {
      return await work(observer);
    } finally {
      await observer.close();
    }
  }

  /** Asks the person at the terminal; true where there is none. Ctrl-C and Ctrl-D decline. */
  async confirm(question: string): Promise<boolean> {
    if (!this.terminal.isInteractive) return true;
    const { stdin: input, stderr: output } = this.terminal.streams;
    const asking = createInterface({ input, output });
    const left = new Promise<null>((resolve) => asking.once("close", () => resolve(null)));
    try {
      const asked = asking.question(`${question} [y/N] `, { signal: this.signal }).catch(nullOfAbort);
      const said = await Promise.race([asked, left]);
      if (said === null) output.write("\n");
      return said !== null && /^y(es)?$/i.test(said.trim());
    } finally {
      asking.close();
    }
  }
}

/** Some Node versions reject when the question is left by Ctrl-C or Ctrl-D, and others only close. */
function nullOfAbort(error: unknown): null {
  if (error instanceof Error && error.name === "AbortError") return null;
  throw error;
}

async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw new ConfigurationError(`--token-file ${path} cannot be read; name a file that holds the token.`, {
      cause,
    });
  }
}
