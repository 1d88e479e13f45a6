import { z } from "zod";

export const progressSchema = z.strictObject({
  event: z.enum([
    "planned",
    "awaiting_approval",
    "under_way",
    "step_started",
    "step_done",
    "step_undone",
    "done",
  ]),
  operation_id: z.string().nullable(),
  step: z.string().nullable(),
  message: z.string(),
});
/** The custom events that a run streams. */
export type Progress = z.infer<typeof progressSchema>;
