import { ConfigurationError } from "../../../src/agents/model_deployer/errors.ts";
import { inspectPython } from "../../../src/platform/python/python_interpreter.ts";

/** Why no real service can be brought up on this machine; null when they can. */
export async function findExternalProblem(): Promise<string | null> {
  try {
    await inspectPython();
    return null;
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
}
