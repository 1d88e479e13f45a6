import { z } from "zod";
import { instantSchema } from "../entities.ts";
import { versionFiguresSchema } from "./figures.ts";
import { judgeStateSchema, verdictSchema } from "./judgement.ts";
import { rolloutStatusSchema } from "../traffic/rollout.ts";

export const keptLookSchema = z.object({
  looked_at: instantSchema,
  status: rolloutStatusSchema,
  step_index: z.int().min(0),
  /** Generation of the route in force; null while another one was wanted. */
  generation: z.int().nullable(),
  /** The candidate's part of what both sides got, between 0 and 1. */
  share: z.number().min(0).max(1),
  needs_bound: z.boolean(),
  /** The baseline was dead, and the candidate was judged without it. */
  alone: z.boolean(),
  /** A challenge was under way. */
  challenged: z.boolean(),
  /** Whether the candidate's server answered its probes; else the verdict was about that. */
  answers: z.boolean(),
  /** The router's counters of both sides. */
  figures: z.array(versionFiguresSchema),
  /** The evidence of later outcomes, of both sides' predictions and of the team's metrics by then. */
  outcomes: judgeStateSchema.shape.outcomes,
  predictions: judgeStateSchema.shape.predictions,
  metrics: judgeStateSchema.shape.metrics,
  /** The verdict of that time. */
  outcome: verdictSchema.shape.outcome,
  reason: z.string(),
});
/** A look as it is kept: all that the judge saw, so that it can be judged again under other settings. */
export type KeptLook = z.infer<typeof keptLookSchema>;

export const keptLooksSchema = z.object({
  /** The judge's state before the first look. */
  before: judgeStateSchema,
  /** Oldest first. */
  looks: z.array(keptLookSchema),
});
export type KeptLooks = z.infer<typeof keptLooksSchema>;
