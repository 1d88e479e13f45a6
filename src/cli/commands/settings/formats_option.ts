import { z } from "zod";
import {
  type Format,
  formatSchema,
  spelledFormats,
} from "../../../agents/model_deployer/domain/models/loading_report.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";

const namedSchema = z.array(formatSchema).min(1);

/** Null for `any`, which is as the installation allows. @throws InvalidRequestError */
export function formatsOf(given: string): Format[] | null {
  if (given.trim() === "any") return null;
  const known = namedSchema.safeParse(spelledFormats(given));
  if (known.success) return known.data;
  throw new InvalidRequestError(
    `--formats ${given}: name any, safe, or some of ${formatSchema.options.join(", ")}, as in safe,pickle.`,
  );
}
