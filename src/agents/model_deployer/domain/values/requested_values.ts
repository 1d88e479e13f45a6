import { z } from "zod";
import { autoscalingSchema } from "../entities.ts";
import { isPlainText } from "./plain_text.ts";

/** The values that a request may hold, each with the sentence that refuses another one. */

export const idSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    "letters, digits, '.', '_' and '-', at most 128, beginning with a letter or digit",
  );

/** Short enough that the names derived from it fit a bento's tag and an endpoint's name. */
export const experimentIdSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$/,
    "letters, digits, '.', '_' and '-', at most 48, beginning with a letter or digit",
  );

export const modelNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,55}$/,
    "letters, digits, '.', '_' and '-', at most 56, beginning with a letter or digit",
  );

export const reasonSchema = z
  .string()
  .min(1)
  .max(2000)
  .regex(/^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$/, "text without control characters")
  .refine(isPlainText, "text without direction marks and other characters that are not seen");

/** A reason that a person has to say: what stands for one in a way out, or blanks, are none. */
export const wordsSchema = reasonSchema.refine(
  (text) => /[\p{L}\p{N}]/u.test(text),
  "words of your own that say why",
);

/** Only schemes that the registry serves: artifacts are read through it alone. */
export const artifactUriSchema = z
  .string()
  .max(1024)
  .regex(
    /^(runs|models|mlflow-artifacts):\/[A-Za-z0-9._\-/ ]+$/,
    "a runs:/, models:/ or mlflow-artifacts:/ address",
  )
  .refine((uri) => !uri.split("/").includes(".."), "an address without '..'");

export const cpuSchema = z
  .string()
  .regex(/^([0-9]{1,2}(\.[0-9]{1,3})?|[0-9]{2,5}m)$/, 'a number of CPUs such as "2" or "500m"')
  .refine(
    (cpu) => (cpu.endsWith("m") ? Number(cpu.slice(0, -1)) / 1000 : Number(cpu)) <= 16,
    "at most 16 CPUs",
  )
  .refine((cpu) => Number.parseFloat(cpu) > 0, "more than 0 CPUs");

export const memorySchema = z
  .string()
  .regex(/^[1-9][0-9]{0,4}(Mi|Gi)$/, 'an amount such as "512Mi" or "4Gi"')
  .refine(
    (memory) => Number.parseInt(memory, 10) * (memory.endsWith("Gi") ? 1024 : 1) <= 64 * 1024,
    "at most 64Gi",
  );

export const boundsSchema = autoscalingSchema.refine(
  ({ min, max }) => min <= max,
  "min must not be above max",
);
