import { z } from "zod";

/** A way out of a refusal or a failure, as data: a machine hands `request` over, a person types `command`. */
export const nextStepSchema = z.strictObject({
  /** An action of the agent, or what is done beside it, such as `approve`. */
  action: z.string(),
  /** The state to hand to the agent; null where no action of the agent does it. */
  request: z.record(z.string(), z.json()).nullable(),
  /** The same for a shell; what stands in it as "..." a person has to say. */
  command: z.string(),
  /** `caller`: whoever asked may ask for this. `somebody_else`: not the requester. `person`: it takes a judgement. */
  who: z.enum(["caller", "somebody_else", "person"]),
  why: z.string(),
});
export type NextStep = z.infer<typeof nextStepSchema>;
