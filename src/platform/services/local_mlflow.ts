import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { childEnvironment } from "../processes/child_environment.ts";
import type { LocalService } from "./local_service.ts";

/** An MLflow server with its registry in SQLite, which serves the artifacts itself. */
export function localMlflow(homeDirectory: string, mlflow: string): LocalService {
  const directory = join(homeDirectory, "mlflow");
  const storage = [
    ...["--backend-store-uri", `sqlite:///${join(directory, "mlflow.db")}`],
    ...["--serve-artifacts", "--artifacts-destination", join(directory, "artifacts")],
  ];
  const url = (port: number) => `http://127.0.0.1:${port}`;
  return {
    name: "mlflow",
    // About 7 s on an idle machine with 2 cores; the first start after an install compiles as well.
    readyDeadlineMs: 120_000,
    stopOptions: { graceMs: 10_000 },
    async prepare(port) {
      await mkdir(join(directory, "artifacts"), { recursive: true, mode: 0o700 });
      // It copies each artifact there on the way, and leaves what it had under way when it is killed.
      const temporary = join(directory, "tmp");
      await rm(temporary, { recursive: true, force: true });
      await mkdir(temporary, { mode: 0o700 });
      return {
        command: mlflow,
        args: ["server", "--host", "127.0.0.1", "--port", String(port), "--workers", "1", ...storage],
        env: childEnvironment({
          PATH: `${dirname(mlflow)}:${process.env["PATH"] ?? "/usr/bin:/bin"}`,
          MLFLOW_DISABLE_TELEMETRY: "true",
          MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false",
          PYTHONUNBUFFERED: "1",
          TMPDIR: temporary,
        }),
        workingDirectory: directory,
      };
    },
    async probe(port) {
      const answer = await fetch(`${url(port)}/health`, { signal: AbortSignal.timeout(3_000) });
      const body = await answer.text();
      if (!answer.ok || body.trim() !== "OK") {
        throw new ServiceUnavailableError("mlflow", `/health answers ${answer.status} ${body.slice(0, 200)}`);
      }
    },
    url: async (port) => url(port),
  };
}
