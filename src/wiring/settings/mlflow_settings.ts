import { z } from "zod";
import type { MLflowAuth } from "../../mlops/mlflow/mlflow_transport.ts";
import type { LocalServices } from "../../platform/services/local_services.ts";

/** As whom MLflow is asked, by the names of its own client. */
export const mlflowVariables = {
  MLFLOW_TRACKING_USERNAME: z.string().optional(),
  MLFLOW_TRACKING_PASSWORD: z.string().optional(),
  MLFLOW_TRACKING_TOKEN: z.string().optional(),
};

type MLflowValues = z.infer<z.ZodObject<typeof mlflowVariables>>;

/** With one of the two, MLflow would be asked as nobody. */
export function mlflowProblem(values: MLflowValues): { name: string; message: string } | null {
  const { MLFLOW_TRACKING_USERNAME: user, MLFLOW_TRACKING_PASSWORD: password } = values;
  if ((user === undefined) === (password === undefined)) return null;
  const name = user === undefined ? "MLFLOW_TRACKING_USERNAME" : "MLFLOW_TRACKING_PASSWORD";
  return { name, message: "is missing: MLflow's user and password are set together, or neither" };
}

/** Where MLflow is and as whom it is asked; null: as nobody. */
export interface MLflowAccess {
  mlflowUrl: string;
  mlflowAuth: MLflowAuth | null;
}

/** The configured MLflow, or else the home's own, which knows its home's login alone. */
export function mlflowAccess(
  { mlflowUrl, mlflowAuth }: Record<"mlflowUrl", string | null> & Pick<MLflowAccess, "mlflowAuth">,
  local: Pick<LocalServices, "mlflowUrl" | "mlflowLogin">,
): MLflowAccess {
  if (mlflowUrl !== null) return { mlflowUrl, mlflowAuth };
  const { mlflowUrl: own = "", mlflowLogin: login } = local;
  return { mlflowUrl: own, mlflowAuth: login === undefined ? null : { kind: "basic", ...login } };
}

/** The variables by which MLflow's own client, such as a training script's, asks the same MLflow. */
export function mlflowEnvironment({
  mlflowUrl,
  mlflowAuth: auth,
}: MLflowAccess): Record<"MLFLOW_TRACKING_URI", string> & Record<string, string> {
  return { MLFLOW_TRACKING_URI: mlflowUrl, ...(auth === null ? {} : credentialsOf(auth)) };
}

function credentialsOf(auth: MLflowAuth): Record<string, string> {
  return auth.kind === "bearer"
    ? { MLFLOW_TRACKING_TOKEN: auth.token }
    : { MLFLOW_TRACKING_USERNAME: auth.username, MLFLOW_TRACKING_PASSWORD: auth.password };
}

export function mlflowAuth(values: MLflowValues): MLflowAuth | null {
  if (values.MLFLOW_TRACKING_TOKEN !== undefined)
    return { kind: "bearer", token: values.MLFLOW_TRACKING_TOKEN };
  const { MLFLOW_TRACKING_USERNAME: username, MLFLOW_TRACKING_PASSWORD: password } = values;
  return username === undefined || password === undefined ? null : { kind: "basic", username, password };
}
