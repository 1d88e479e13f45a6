import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { ConfigurationError } from "../../../agents/model_deployer/errors.ts";
import type { Isolation, Resources } from "../../../agents/model_deployer/domain/entities.ts";
import { childEnvironment } from "../../../platform/processes/managed_process.ts";
import { hasEnvironment } from "../../../platform/processes/process_table.ts";
import type { LimitedGroup } from "../../../platform/processes/control_groups.ts";
import { contained, isolationFor } from "../../../platform/containment/containment.ts";
import type { ModelEnvironment } from "../../../platform/python/python_environment.ts";
import { threadsEnvironment } from "../../shared/threads_environment.ts";
import type { ServerFolders } from "./server_folders.ts";
import type { ServerRecord } from "./server_record.ts";
import { limitsEnvironment, type ServingLimits } from "./serving_limits.ts";

export interface ServeCommand {
  /** The programs of the model's own environment. */
  environment: ModelEnvironment;
  bentoPath: string;
}

const isolationVariable = "MODEL_DEPLOYER_ISOLATION";
/** Tells servers apart that were started under other settings. */
const settingsVariable = "MODEL_DEPLOYER_SETTINGS_DIGEST";
const host = "127.0.0.1";

/** The program of a bento's server under these settings, and that of one which runs. */
export class ServerProgram {
  readonly #folders: ServerFolders;
  readonly #limits: ServingLimits;
  readonly #graceSeconds: number;

  constructor(folders: ServerFolders, limits: ServingLimits, graceSeconds: number) {
    this.#folders = folders;
    this.#limits = limits;
    this.#graceSeconds = graceSeconds;
  }

  /** @throws ConfigurationError where an isolation is required that there is not */
  async of(record: ServerRecord, command: ServeCommand, resources: Resources, group: LimitedGroup) {
    const { program, isolation } = await this.#contained(record, command);
    return { ...program, env: this.#environment(record, isolation, resources, group) };
  }

  /** The isolation that a running process was started with. */
  async isolationOf(pid: number): Promise<Isolation> {
    return (await hasEnvironment(pid, `${isolationVariable}=landlock`)) ? "landlock" : "none";
  }

  /** Whether a running process was started with what one that is started now would be started with. */
  isAsNow(pid: number): Promise<boolean> {
    return hasEnvironment(pid, `${settingsVariable}=${this.#settingsDigest()}`);
  }

  #environment(record: ServerRecord, isolation: string, resources: Resources, group: LimitedGroup) {
    const folders = this.#folders;
    const home = folders.homeOf(record.process);
    return childEnvironment({
      HOME: home,
      [isolationVariable]: isolation,
      [settingsVariable]: this.#settingsDigest(),
      // `bentoml serve` wipes the metrics folder of its home, so no two servers may share one.
      BENTOML_HOME: home,
      TMPDIR: folders.temporaryOf(record.process),
      BENTOML_DO_NOT_TRACK: "True",
      MLFLOW_DISABLE_TELEMETRY: "true",
      PYTHONUNBUFFERED: "1",
      ...threadsEnvironment(resources.cpu_limit, availableParallelism()),
      MODEL_DEPLOYER_DEPLOYMENT_ID: record.process,
      ...(record.secret !== undefined && { MODEL_DEPLOYER_SERVER_SECRET: record.secret }),
      MODEL_DEPLOYER_PREDICTION_LOG: folders.predictionLogOf(record.process),
      MODEL_DEPLOYER_PROCESS_LOG: folders.logOf(record.process),
      MODEL_DEPLOYER_FORMER_LOGS: isolation === "none" ? folders.runDirectory : home,
      MODEL_DEPLOYER_WORKING_DIRECTORY: folders.workingOf(record.process),
      ...limitsEnvironment(this.#limits),
      ...("processes" in group && { MODEL_DEPLOYER_GROUP_PROCESSES: group.processes }),
    });
  }

  /**
   * The server sees its bento, its environment, a scratch folder and its own logs. A bento without a runner of its own
   * needs sockets that a contained one has not.
   * @throws ConfigurationError where an isolation is required that there is not
   */
  async #contained(record: ServerRecord, command: ServeCommand) {
    const program = this.#uncontained(record, command);
    const { containment } = this.#limits;
    if (containment === undefined) return { program, isolation: "none" };
    const isolation = await isolationFor(containment);
    const isOld = program.command !== command.environment.python;
    if (isolation === "none" || (isOld && containment.isolation !== "required"))
      return { program, isolation: "none" };
    if (isOld) {
      throw new ConfigurationError(
        `${record.bento_tag} was made by an earlier version and cannot be contained, which MODEL_DEPLOYER_ISOLATION=required asks for: register its run again`,
      );
    }
    const { process } = record;
    const folders = this.#folders;
    const needs = {
      read: [resolve(command.bentoPath), dirname(dirname(command.environment.python))],
      write: [folders.homeOf(process), folders.predictionsOf(process), folders.logOf(process)],
      port: record.port,
    };
    await compileService(command);
    return { program: await contained(program, needs, containment), isolation };
  }

  /** The bento's own `serve.py`; `bentoml serve`, which costs more, for a bento that has none. */
  #uncontained(record: ServerRecord, { environment, bentoPath }: ServeCommand) {
    const port = String(record.port);
    const grace = String(this.#graceSeconds);
    const runner = join(resolve(bentoPath), "src", "serve.py");
    if (existsSync(runner)) return { command: environment.python, args: [runner, host, port, grace] };
    const address = ["--host", host, "--port", port];
    const args = ["serve", resolve(bentoPath), ...address, "--timeout-graceful-shutdown", grace];
    return { command: environment.bentoml, args };
  }

  #settingsDigest(): string {
    const { containment = null } = this.#limits;
    const settings = { ...limitsEnvironment(this.#limits), containment, grace: this.#graceSeconds };
    return createHash("sha256").update(JSON.stringify(settings)).digest("hex").slice(0, 16);
  }
}

/**
 * Compiles the service's own modules once: a contained server cannot write beside them, and would at each start. Where
 * that fails it compiles them for itself.
 */
async function compileService({ environment, bentoPath }: ServeCommand): Promise<void> {
  const service = join(resolve(bentoPath), "src", "model_deployer_serving");
  if (existsSync(join(service, "__pycache__"))) return;
  const args = ["-I", "-S", "-m", "compileall", "-q", service];
  const { execa } = await import("execa");
  await execa(environment.python, args, { env: childEnvironment(), extendEnv: false, reject: false });
}
