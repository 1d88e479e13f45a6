import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { basicAuthorization } from "../basic_authorization.ts";
import { childEnvironment } from "../processes/child_environment.ts";
import { keepSecret } from "./local_secret.ts";
import { type LocalService, OutdatedServiceError, serviceRunDirectory } from "./local_service.ts";

/** As whom the home's MLflow is asked. */
export interface MLflowLogin {
  username: string;
  password: string;
}

const username = "model_deployer";
const script = fileURLToPath(new URL("./mlflow_server.py", import.meta.url));

/** An MLflow server with its registry in SQLite, which serves the artifacts itself, behind a password of its own. */
export function localMlflow(
  homeDirectory: string,
  python: string,
): LocalService & { login(): Promise<MLflowLogin> } {
  const directory = join(homeDirectory, "mlflow");
  const passwordFile = join(serviceRunDirectory(homeDirectory), "mlflow.password");
  const login = async () => ({ username, password: await keepSecret(passwordFile) });
  const url = (port: number) => `http://127.0.0.1:${port}`;
  return {
    name: "mlflow",
    // About 3 s on an idle machine with 2 cores; the first start after an install compiles as well.
    readyDeadlineMs: 120_000,
    stopOptions: { graceMs: 10_000 },
    async prepare(port) {
      await mkdir(join(directory, "artifacts"), { recursive: true, mode: 0o700 });
      // It copies each artifact there on the way, and leaves what it had under way when it is killed.
      const temporary = join(directory, "tmp");
      await rm(temporary, { recursive: true, force: true });
      await mkdir(temporary, { mode: 0o700 });
      await login();
      const storage = [`sqlite:///${join(directory, "mlflow.db")}`, join(directory, "artifacts")];
      return {
        command: python,
        // A file keeps the password out of the list of processes.
        args: ["-I", "-u", script, String(port), ...storage, username, passwordFile],
        env: childEnvironment({
          MLFLOW_DISABLE_TELEMETRY: "true",
          MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false",
          TMPDIR: temporary,
        }),
        workingDirectory: directory,
      };
    },
    async probe(port) {
      const version = `${url(port)}/version`;
      const authorization = basicAuthorization(await login());
      const [known, unknown] = await Promise.all([statusOf(version, { authorization }), statusOf(version)]);
      if (known === 401) throw outdated("a former password");
      if (known !== 200) throw new ServiceUnavailableError("mlflow", `/version answers ${known}`);
      if (unknown !== 401) throw outdated("no password, as an earlier version started it");
    },
    url: async (port) => url(port),
    login,
  };
}

const outdated = (what: string) => new OutdatedServiceError("mlflow", `MLflow of this home asks for ${what}`);

async function statusOf(address: string, headers: Record<string, string> = {}): Promise<number> {
  const answer = await fetch(address, { headers, signal: AbortSignal.timeout(3_000) });
  await answer.arrayBuffer();
  return answer.status;
}
