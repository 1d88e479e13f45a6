import { AgentError } from "../../agents/base/agent_error.ts";
import { EngineRefusedError } from "../../agents/model_deployer/errors.ts";
import type { ServerObservation } from "../../agents/model_deployer/ports/model_server_port.ts";

/** Null when the part does not answer. */
export async function answered<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof AgentError || (error instanceof Error && error.name.endsWith("Error"))) return null;
    throw error;
  }
}

/** As `answered`; that a server's engine is not configured here is worth a word. */
export async function serverSeen(
  ask: () => Promise<ServerObservation>,
): Promise<{ observed: ServerObservation | null; refused: string | null }> {
  const refusals: string[] = [];
  const observed = await answered(async () => {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof EngineRefusedError) refusals.push(error.message);
      throw error;
    }
  });
  return { observed, refused: refusals[0] ?? null };
}
