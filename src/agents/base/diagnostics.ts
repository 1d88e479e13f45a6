import { channel } from "node:diagnostics_channel";

/** Channels of `node:diagnostics_channel`; a message costs nothing while nobody listens. */
export const PROGRESS = "model-deployer.progress";
export const ANSWERS = "model-deployer.answers";
export const DEGRADED = "model-deployer.degraded";

const progress = channel(PROGRESS);
const answers = channel(ANSWERS);
const degraded = channel(DEGRADED);

/** A node's progress, as the custom stream event with its `operation_id`. */
export function publishProgress(told: { message: string; operation_id: string | null }): void {
  if (progress.hasSubscribers) progress.publish(told);
}

/** How a run of an agent ended: `ok`, `interrupted`, or the code of its error. */
export function publishAnswer(told: {
  message: string;
  agent_name: string;
  outcome: string;
  duration_ms: number;
  operation_id: string | null;
}): void {
  if (answers.hasSubscribers) answers.publish(told);
}

/**
 * A part that did not answer, and that the run went on without; `part` is one of a few names, `message` a whole
 * sentence.
 */
export function publishDegraded(told: { part: string; message: string }): void {
  if (degraded.hasSubscribers) degraded.publish(told);
}
