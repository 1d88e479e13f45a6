import type { RegisterRequest } from "../../domain/requests.ts";
import type { RegisterFacts } from "./facts.ts";

/** Where the files lie that a registration pins: as asked for, else those of the version that it follows or is given. */
export function filesToRegister(
  request: RegisterRequest,
  {
    registered_before: before,
    given_version: given,
  }: Pick<RegisterFacts, "registered_before" | "given_version">,
): { model: string; preprocessing: string | null } {
  const {
    model_artifact_uri: asked,
    preprocessing_artifact_uri: askedPreprocessing,
    mlflow_run_id,
  } = request;
  return {
    model: asked ?? before?.model_artifact_uri ?? given?.source ?? `runs:/${mlflow_run_id}/model`,
    preprocessing: askedPreprocessing ?? before?.preprocessing_artifact_uri ?? null,
  };
}
