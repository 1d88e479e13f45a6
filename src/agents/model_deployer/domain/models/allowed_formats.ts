import { z } from "zod";
import type { NextStep } from "../../../base/next_step.ts";
import { type Format, formatSchema } from "./loading_report.ts";
import type { LoadingSummary } from "./loading_summary.ts";

export const allowedFormatsSchema = z.strictObject({
  experiment_id: z.string(),
  formats: z.array(formatSchema),
});
/** The formats that an experiment's policy names. */
export type AllowedFormats = z.infer<typeof allowedFormatsSchema>;

/** Undefined where the policy names none and so allows each that the installation does. */
export function allowedFormats(
  experiment_id: string,
  { formats }: { formats: readonly Format[] | null },
): AllowedFormats | undefined {
  return formats === null ? undefined : { experiment_id, formats: [...formats] };
}

interface RefusedFormats {
  refused: Format[];
  /** With the formats, their files, what is allowed and the way out. */
  sentence: string;
  next: NextStep[];
}

/** Null where each format is allowed. */
export function refusedFormats(
  loading: Pick<LoadingSummary, "formats" | "pickles">,
  { experiment_id, formats: allowed }: AllowedFormats,
  where: string,
): RefusedFormats | null {
  const refused = loading.formats.filter((format) => !allowed.includes(format));
  if (refused.length === 0) return null;
  const named = refused.map((format) => {
    const files = format === "pickle" ? loading.pickles.slice(0, 3).join(", ") : "";
    return files === "" ? format : `${format} (${files})`;
  });
  const wanted = [...allowed, ...refused].join(",");
  const command = `model-deployer policy set ${experiment_id} --formats ${wanted} --reason "..."`;
  return {
    refused,
    sentence: `${where} is saved as ${named.join(", ")}, and the policy of ${experiment_id} allows ${allowed.join(", ")}: save the model in one of these and register that run, or allow ${refused.join(" and ")} by name.`,
    next: [
      {
        action: "set_policy",
        request: null,
        command,
        who: "person",
        why: `allows ${refused.join(" and ")} for ${experiment_id}: whoever wrote such files decides what loading them does`,
      },
    ],
  };
}
