import { ReducedValue, StateSchema } from "@langchain/langgraph";
import { z } from "zod";
import { nextStepSchema } from "./next_step.ts";
import { spanSchema } from "./spans.ts";

export const agentStatusSchema = z.enum(["pending", "in_progress", "completed", "failed", "cancelled"]);

/** One error as it travels in the pipeline's state. */
export const agentFailureSchema = z.strictObject({
  agent_name: z.string(),
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  details: z.record(z.string(), z.unknown()),
  /** Each way out; empty where it is final. */
  next: z.array(nextStepSchema).default([]),
  /** From when on asking again makes sense; null where no time helps. */
  not_before: z.string().nullable().default(null),
  occurred_at: z.string(),
});
export type AgentFailure = z.infer<typeof agentFailureSchema>;

/**
 * Entries that a thread keeps of each list, the newest: a thread may be used for years, and its state is stored at
 * every step.
 */
const KEPT = 256;

/** Appends new entries only: a subgraph hands back the list that it was given, and nothing may count twice. */
function appendOnce<T>(identity: (item: T) => string): (present: T[], added: T[]) => T[] {
  return (present, added) => {
    const known = new Set(present.map(identity));
    return [...present, ...added.filter((item) => !known.has(identity(item)))].slice(-KEPT);
  };
}

/** The part of the state that every agent of the pipeline shares. */
export const agentStateFields = {
  session_id: z.unknown().meta({ type: "string", description: "sess_ and 16 letters or digits" }).optional(),
  query_id: z.unknown().meta({ type: "string", description: "qry_ and 16 letters or digits" }).optional(),
  status: z.unknown().meta({ type: "string", enum: agentStatusSchema.options }).optional(),
  errors: new ReducedValue(z.array(agentFailureSchema).default([]), {
    reducer: appendOnce<AgentFailure>((failure) => JSON.stringify(failure)),
  }),
  warnings: new ReducedValue(z.array(z.string()).default([]), {
    reducer: appendOnce<string>((warning) => warning),
  }),
  spans: new ReducedValue(z.array(spanSchema).default([]), {
    reducer: appendOnce<z.infer<typeof spanSchema>>((span) => span.span_id),
  }),
};

export const AgentState = new StateSchema(agentStateFields);
