import type { Answer, DeploymentManifest } from "./answer.ts";
import type { Change } from "./changes.ts";
import { completeRegistration } from "./decide_register.ts";
import type { Plan } from "./plan.ts";
import { LOOK_SECONDS, secondsAfter } from "./planned_deployment.ts";
import { beginAt } from "./started_rollout.ts";

export interface DoneStep {
  step: string;
  result: Record<string, unknown>;
}

export interface ConclusionContext {
  /** The database's clock when all steps were done. */
  now: string;
  /** When the operation was claimed. */
  started_at: string;
}

/** The plan's last changes and its answer, with what only the steps and the clock could tell. Pure. */
export function conclude(
  plan: Plan,
  steps: DoneStep[],
  context: ConclusionContext,
): { changes: Change[]; answer: Answer } {
  const found = readResults(steps);
  const seconds = (Date.parse(context.now) - Date.parse(context.started_at)) / 1000;
  let answer = stampAnswer(plan, found, context.now, seconds);
  const last = [...routeStillInForce(plan), ...plan.on_success, ...datesOf(plan, context.now, seconds)];
  const changes = last.map((change): Change => {
    switch (change.change) {
      case "insert_model_version": {
        const completed = completeRegistration(change, answer, found);
        answer = completed.answer;
        return completed.insert;
      }
      case "start_rollout":
        return { ...change, rollout: beginAt(change.rollout, context.now) };
      case "enqueue":
        if (change.topic !== "procedural_memory") return change;
        return { ...change, payload: { ...change.payload, duration_ms: Math.round(seconds * 1000) } };
      default:
        return change;
    }
  });
  return { changes, answer };
}

/** Whoever resumes a plan may come late: success is only written while the route that it brought is still in force. */
function routeStillInForce(plan: Plan): Change[] {
  const applied = plan.steps.map((planned) => planned.do).findLast((step) => step.step === "apply_route");
  if (applied?.step !== "apply_route") return [];
  return [{ change: "observe_route", endpoint_name: applied.endpoint_name, generation: applied.generation }];
}

/** Its row tells of a new deployment what its manifest tells. */
function datesOf(plan: Plan, now: string, seconds: number): Change[] {
  return plan.intent.flatMap((change) =>
    change.change === "insert_deployment"
      ? {
          change: "date_deployment",
          deployment_id: change.deployment.deployment_id,
          deployed_at: now,
          deployment_duration_seconds: hundredths(seconds),
        }
      : [],
  );
}

const hundredths = (seconds: number): number => Math.max(0, Math.round(seconds * 100) / 100);

interface Found {
  version: number | null;
  digest: string | null;
  preprocessing_digest: string | null;
  endpoint_url: string | null;
}

function readResults(steps: DoneStep[]): Found {
  const resultOf = (name: string) => steps.find((one) => one.step === name)?.result;
  const version = resultOf("register_in_registry")?.["version"];
  const digestOf = (artifact: string): string | null => {
    const pinned = steps.find((one) => one.step === "pin_artifact" && one.result["artifact"] === artifact);
    const digest = pinned?.result["digest"];
    return typeof digest === "string" ? digest : null;
  };
  const url = resultOf("open_endpoint")?.["endpoint_url"];
  return {
    version: typeof version === "number" ? version : null,
    digest: digestOf("model"),
    preprocessing_digest: digestOf("preprocessing"),
    endpoint_url: typeof url === "string" ? url : null,
  };
}

function stampAnswer(plan: Plan, found: Found, now: string, seconds: number): Answer {
  const { deployment_manifest: manifest, version_record: record } = plan.draft;
  const movesNothing = plan.on_success.length === 0;
  return {
    ...plan.draft,
    version_record: record === null || movesNothing ? record : { ...record, promoted_at: now },
    deployment_manifest: manifest === null ? null : stampManifest(manifest, plan, found, now, seconds),
  };
}

/** A deployment that a rollback brings back keeps the time at which it was made. */
function stampManifest(
  manifest: DeploymentManifest,
  plan: Plan,
  found: Found,
  now: string,
  seconds: number,
): DeploymentManifest {
  const endpoint_url = found.endpoint_url ?? manifest.endpoint_url;
  const isNew = plan.intent.some((change) => change.change === "insert_deployment");
  if (!isNew) return { ...manifest, endpoint_url };
  return {
    ...manifest,
    endpoint_url,
    deployed_at: now,
    deployment_duration_seconds: hundredths(seconds),
    rollout: manifest.rollout && { ...manifest.rollout, next_tick_at: secondsAfter(now, LOOK_SECONDS) },
  };
}
