import { z } from "zod";
import type { MLflowAuth } from "../../mlops/mlflow/mlflow_transport.ts";

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

export function mlflowAuth(values: MLflowValues): MLflowAuth | null {
  if (values.MLFLOW_TRACKING_TOKEN !== undefined)
    return { kind: "bearer", token: values.MLFLOW_TRACKING_TOKEN };
  const { MLFLOW_TRACKING_USERNAME: username, MLFLOW_TRACKING_PASSWORD: password } = values;
  return username === undefined || password === undefined ? null : { kind: "basic", username, password };
}
