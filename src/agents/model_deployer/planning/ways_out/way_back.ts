import { planned } from "../decisions.ts";
import type { Change } from "../../domain/changes.ts";
import type { Deployment, Endpoint, ModelVersion } from "../../domain/entities.ts";
import type { PlannedStep, Step } from "../../domain/plan.ts";
import { packageOf, startAgainOf, startBesideOf } from "../planned_deployment.ts";

/**
 * `ready` with the expected tag; `unresponsive` has a process, which does not answer; `away` comes by a start; `stopping`
 * is being ended at this moment, and comes by a start after that.
 */
export type ServerPresence = "ready" | "unresponsive" | "away" | "stopping";

interface WayBack {
  endpoint: Endpoint;
  previous: Deployment;
  previousVersion: ModelVersion;
  server: ServerPresence;
}

/**
 * A deployment with a share of the traffic may get all of it even while it does not answer: waiting would not mend
 * that.
 */
export function isWarm({ server, endpoint, previous }: Omit<WayBack, "previousVersion">): boolean {
  if (server !== "unresponsive") return server === "ready";
  return (endpoint.weights[previous.deployment_id] ?? 0) > 0;
}

/**
 * A deployment that has served needs no sample prediction: its model's upstream may be away, and callers had it before.
 */
export function serveAgain(way: WayBack): PlannedStep[] {
  const { previous, previousVersion, server } = way;
  if (isWarm(way)) return [];
  const start = server === "unresponsive" ? startBesideOf(previous) : startAgainOf(previous);
  const { deployment_id } = previous;
  return [
    ...(server === "stopping" ? [planned({ step: "drain_server", deployment_id })] : []),
    planned({ ...packageOf(previousVersion), bento_tag: previous.bento_tag }),
    planned(start, { undo: stopAgain(previous, server) }),
  ];
}

/** Keeps draining from stopping the server while the rollback to it is under way. */
export function keepServer({ previous, server }: Pick<WayBack, "previous" | "server">): Change[] {
  const { deployment_id, status, drained_at } = previous;
  if (status === "active" || server === "stopping") return [];
  return [{ change: "call_off_drain", deployment_id, was_drained: drained_at !== null }];
}

/** Lets draining stop the server after a rollback to it has failed. */
export function releaseServer({ previous, server }: Pick<WayBack, "previous" | "server">): Change[] {
  const { deployment_id, status, drain_due_at } = previous;
  if (status === "active" || server === "stopping") return [];
  return [{ change: "resume_drain", deployment_id, due_at: drain_due_at }];
}

/**
 * The undo of a start, if the route is refused: stops a server that had been stopped before. One that was still
 * running stays, since it may have requests.
 */
function stopAgain({ deployment_id, drained_at }: Deployment, server: ServerPresence): Step[] {
  return drained_at === null && server !== "stopping" ? [] : [{ step: "stop_server", deployment_id }];
}

/** Says so where what comes back runs on another engine than what goes. */
export function engineChangeNotes(current: Deployment | null, previous: Deployment): string[] {
  if (current === null || current.engine === previous.engine) return [];
  const on = ({ deployment_id, engine }: Deployment) => `${deployment_id} on ${engine ?? "the usual engine"}`;
  return [`It goes from ${on(current)} to ${on(previous)}, where that was made.`];
}

export function serverNotes(way: WayBack): string[] {
  const { server, previous } = way;
  const name = `The server of ${previous.deployment_id}`;
  if (server === "ready") return [];
  if (isWarm(way)) return [`${name} does not answer now; a worker replaces it if that lasts.`];
  const why = { unresponsive: "does not answer", away: "is not running", stopping: "is being stopped" }[
    server
  ];
  return [`${name} ${why}; it is started again from its bento.`];
}
