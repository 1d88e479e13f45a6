import type { Capabilities } from "../../agents/model_deployer/capabilities.ts";
import type { Advance } from "../../agents/model_deployer/actions/advance/outcomes.ts";
import type { Rollout } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import type { ModelDeployerGraph } from "../../agents/model_deployer/graph.ts";
import { look } from "../../agents/model_deployer/actions/advance/gather.ts";
import { rolloutThread } from "./rollout_thread.ts";

/** The outcome of one look at a rollout. */
export interface LookOutcome {
  rollout_id: string;
  advance: Advance["advance"];
  reason: string;
}

/**
 * Looks at a rollout; a change of traffic is a run of the graph on the rollout's own thread.
 * @param now the database's clock
 * @param onProblem gets sentences about problems that need a person
 * @throws AgentError a typed one; the rollout is looked at again
 */
export async function advanceRollout(
  { parts, endpoints, settings }: Capabilities,
  graph: ModelDeployerGraph,
  rollout: Rollout,
  now: string,
  { signal, onProblem }: { signal: AbortSignal; onProblem: (problem: string) => void },
): Promise<LookOutcome> {
  const { rollout_id } = rollout;
  const context = { operation_id: "op_look", requested_by: settings.requested_by, is_known: true, now };
  const advance = await look(parts, endpoints, settings, rollout, context, { signal });
  switch (advance.advance) {
    case "stuck":
      onProblem(`${advance.why}; roll it back or deploy another version.`);
      return { rollout_id, advance: "stuck", reason: advance.why };
    case "nothing":
      return { rollout_id, advance: "nothing", reason: advance.why };
    case "hold":
      await parts.database.rollouts.hold(advance.change);
      break;
    case "move":
      await graph.invoke(
        { deployment_action: "advance", rollout_id },
        { configurable: { thread_id: rolloutThread(rollout_id) }, context: { effects: "live" }, signal },
      );
      break;
    default:
      return advance satisfies never;
  }
  if (advance.problem !== null) onProblem(advance.problem);
  return { rollout_id, advance: advance.advance, reason: advance.verdict.reason };
}
