import { z } from "zod";
import { Deadline } from "../../agents/base/deadline.ts";
import { answerSchema } from "../../agents/model_deployer/domain/answer.ts";
import type { ModelDeployerGraph } from "../../agents/model_deployer/graph.ts";
import { validateRequest } from "../../agents/model_deployer/nodes/validate_request.ts";
import {
  type ModelDeployerRequest,
  planViewSchema,
  progressSchema,
} from "../../agents/model_deployer/state/state.ts";
import { unlessInterrupted } from "./interrupted.ts";

const fields = answerSchema.shape;

/** The part of the graph's state that a command reads. */
const outcomeSchema = z.object({
  status: z.string().optional(),
  operation_id: z.string().nullish(),
  deployment_plan: planViewSchema.nullish(),
  deployment_manifest: fields.deployment_manifest.optional(),
  version_record: fields.version_record.optional(),
  rollback_successful: fields.rollback_successful.optional(),
  active_deployment_id: fields.active_deployment_id.optional(),
  warnings: z.array(z.string()).default([]),
  degraded: z.array(z.string()).default([]),
});
export type ActionOutcome = z.infer<typeof outcomeSchema>;

/** Above the patience of every action. */
const LONGEST_MS = 600_000;

export interface ActionRunOptions {
  effects: "live" | "dry-run";
  signal: AbortSignal;
  /** Called with a sentence for each thing that begins. */
  tell: (text: string) => void;
}

/**
 * Runs one action through the graph, as the agent and Studio do.
 * @throws ModelDeployerError
 * @throws InterruptedError when the signal ended it, after the lease was released
 */
export async function runAction(
  { graph }: { graph: ModelDeployerGraph },
  request: ModelDeployerRequest,
  { effects, signal, tell }: ActionRunOptions,
): Promise<ActionOutcome> {
  validateRequest({ ...request });
  let [state, operation]: [unknown, string | null] = [{}, null];
  const run = async () => {
    const stream = await graph.stream(
      { ...request },
      { streamMode: ["custom", "values"], subgraphs: true, context: { effects } },
    );
    for await (const [namespace, mode, chunk] of stream) {
      if (mode === "values" && namespace.length === 0) state = chunk;
      const progress = progressSchema.safeParse(chunk);
      if (mode !== "custom" || !progress.success) continue;
      operation = progress.data.operation_id;
      tell(progress.data.message);
    }
    return outcomeSchema.parse(state);
  };
  try {
    // By a deadline instead of the graph's own signal, on which the graph would answer before its nodes have released
    // their lease.
    return await new Deadline(LONGEST_MS, { of: "a command", until: signal }).run(run);
  } catch (error) {
    throw unlessInterrupted(error, signal, operation);
  }
}
