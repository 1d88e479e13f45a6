import DataLoader from "dataloader";

/**
 * Collects the calls of `load` in one turn of the event loop into one call of `send`, so that a worker reads a hundred
 * rollouts with one round trip. A single call is sent by the end of the same turn, and nothing is cached.
 * @param send answers in the order of its inputs; its error reaches every caller whose input was in it
 */
export function batched<Input, Output>(
  send: (inputs: readonly Input[]) => Promise<Output[]>,
): Pick<DataLoader<Input, Output>, "load"> {
  return new DataLoader(send, { cache: false, batchScheduleFn: (sendAll) => setImmediate(sendAll) });
}
