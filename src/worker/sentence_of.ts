import { AgentError } from "../agents/base/agent_error.ts";
import { withoutCredentials } from "../agents/base/credentials.ts";
import { typedFileError } from "../agents/model_deployer/file_errors.ts";

/** An untyped error's sentence begins with its name, for its message alone may say little. */
export function sentenceOf(error: unknown): string {
  const typed = typedFileError(error);
  if (typed instanceof AgentError) return typed.message;
  return withoutCredentials(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}
