import { z } from "zod";
import { InvalidRequestError } from "../agents/model_deployer/errors.ts";

/** Parses the fields that an agent reads of a state that others have written. @throws InvalidRequestError */
export function readState<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new InvalidRequestError(`The state is not valid: ${z.prettifyError(parsed.error)}`, {
    cause: parsed.error,
  });
}
