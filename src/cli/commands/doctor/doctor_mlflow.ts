import { request } from "undici";
import { withoutCredentials } from "../../../agents/base/credentials.ts";
import { authorization } from "../../../mlops/mlflow/mlflow_transport.ts";
import type { findLocalServices } from "../../../platform/services/local_services.ts";
import type { Configuration } from "../../../wiring/settings/configuration.ts";
import { mlflowAccess } from "../../../wiring/settings/mlflow_settings.ts";
import { adviceFor, type DoctorFinding, down, fine, notStarted, weak } from "./doctor_finding.ts";

const PATIENCE_MS = 5000;

/** Whether MLflow answers, takes the credentials that it is asked with and, where it is the home's, asks for some. */
export async function checkMlflow(
  configuration: Configuration,
  local: Partial<Awaited<ReturnType<typeof findLocalServices>>>,
): Promise<DoctorFinding> {
  const { mlflowUrl: url, mlflowAuth } = mlflowAccess(configuration, local);
  if (url === "") return notStarted("MLflow");
  const health = await statusOf(url, "health", {});
  if (health !== 200) return down(`answers ${health}`, adviceFor("mlflow"));
  const found = `answers at ${withoutCredentials(url)}`;
  if ((await statusOf(url, "version", authorization(mlflowAuth))) === 401) {
    return down(
      `${found} and knows nobody by these credentials`,
      "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; those of a home's own MLflow are printed by model-deployer env",
    );
  }
  if (configuration.mlflowUrl === null && (await statusOf(url, "version", {})) === 200) {
    return weak(
      `${found} and asks for no password`,
      "the next command that needs it starts it anew, with one",
    );
  }
  return fine(found);
}

async function statusOf(url: string, path: string, headers: Record<string, string>): Promise<number> {
  const address = new URL(path, url.endsWith("/") ? url : `${url}/`);
  const answer = await request(address, { headers, signal: AbortSignal.timeout(PATIENCE_MS) });
  await answer.body.dump();
  return answer.statusCode;
}
