import type { TickReport } from "../../worker/tick_report.ts";

export interface WorkerEvent {
  level: "info" | "warn";
  event:
    | "started"
    | "rollout"
    | "under_way"
    | "resumed"
    | "drained"
    | "drift"
    | "upkeep"
    | "checkpoints"
    | "problem"
    | "recovered"
    | "stopped";
  message: string;
  [field: string]: string;
}

/** The events of a round that are worth a line; a look that held is not. */
export function eventsOf({
  rollouts,
  resumed,
  progress,
  drained,
  reconciliation,
  upkeep,
  told,
}: TickReport): WorkerEvent[] {
  return [
    ...rollouts
      .filter((one) => one.advance === "move")
      .map(({ rollout_id, reason }) =>
        event("info", "rollout", `${rollout_id} moves: ${reason}`, { rollout_id }),
      ),
    ...progress.map((message) => event("info", "under_way", message)),
    ...resumed.map(({ operation_id, outcome, reason }) =>
      event("info", "resumed", `${operation_id} is ${outcome}: ${reason}`, { operation_id }),
    ),
    ...drained.map((id) =>
      event("info", "drained", `the server of ${id} was stopped`, { deployment_id: id }),
    ),
    ...(reconciliation?.findings ?? []).map(({ part, subject, found, outcome, why }) => {
      const message = `${subject} had ${found} and is ${outcome}${why === null ? "" : `: ${why}`}`;
      return event(outcome === "repaired" ? "info" : "warn", "drift", message, { part, subject, outcome });
    }),
    ...upkeep.map((message) => event("info", "upkeep", message)),
    ...told.problems.map((message) => event("warn", "problem", message)),
    ...told.recovered.map((message) => event("info", "recovered", message)),
  ];
}

function event(
  level: WorkerEvent["level"],
  kind: WorkerEvent["event"],
  message: string,
  fields: Record<string, string> = {},
): WorkerEvent {
  return { level, event: kind, message, ...fields };
}
