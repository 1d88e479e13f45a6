import { ServiceRefusedError } from "../agents/model_deployer/errors.ts";
import type { CallOptions } from "../agents/model_deployer/ports/call_options.ts";
import type { Embedder } from "../agents/model_deployer/ports/memory_ports.ts";

/** Numbers in an embedding: the width of the pipeline's columns. */
export const EMBEDDING_LENGTH = 1536;

/** @throws ServiceRefusedError for a vector that the column cannot hold, and whatever the embedder raises */
export async function embed(embedder: Embedder, text: string, options: CallOptions): Promise<number[]> {
  const vector = await embedder.embed(text, options);
  if (vector.length === EMBEDDING_LENGTH && vector.every(Number.isFinite)) return vector;
  throw new ServiceRefusedError(
    "embedder",
    `An embedding has ${vector.length} numbers, not all of them finite or not ${EMBEDDING_LENGTH} of them; use a model of that width`,
  );
}
