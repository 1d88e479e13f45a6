import type { Answer, DeploymentManifest } from "../domain/answer.ts";
import type { Change } from "../domain/changes.ts";
import { noticesOf } from "../planning/announcements/new_notices.ts";
import { completeRegistration } from "./register/completed.ts";
import { type Isolation, isolationSchema } from "../domain/entities.ts";
import { loadingNotes, loadingReportSchema } from "../domain/models/loading_report.ts";
import { type LoadingSummary, summaryOf } from "../domain/models/loading_summary.ts";
import { type SignedBy, signedBySchema } from "../domain/models/signers.ts";
import type { Plan, Step } from "../domain/plan.ts";
import {
  type ModelSignature,
  modelSignatureSchema,
  signatureBehind,
} from "../domain/models/model_signature.ts";
import { LOOK_SECONDS, secondsAfter } from "../planning/planned_deployment.ts";
import { beginAt } from "./deploy/started_rollout.ts";

export interface DoneStep {
  step: string;
  result: Record<string, unknown>;
}

export interface ConclusionContext {
  /** The database's clock when all steps were done. */
  now: string;
  /** When the operation was claimed. */
  started_at: string;
  operation_id: string;
  requested_by: string;
}

/** Completes the plan's last changes and its answer with values that only the steps and the clock have. Pure. */
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
  return { changes: [...changes, ...noticesOf(plan, context)], answer };
}

/** A plan may be resumed late, so success is only written while the route that it brought is still in force. */
function routeStillInForce(plan: Plan): Change[] {
  const isOwn = (step: Step) => step.step === "apply_route" && !plan.also_leases.includes(step.endpoint_name);
  const applied = plan.steps.map((planned) => planned.do).findLast(isOwn);
  if (applied?.step !== "apply_route") return [];
  return [{ change: "observe_route", endpoint_name: applied.endpoint_name, generation: applied.generation }];
}

/** A new deployment's row gets the same time and duration as its manifest. */
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
  signature: ModelSignature | null | undefined;
  loading_notes: string[];
  loading: LoadingSummary | null;
  signed_by: SignedBy[] | null;
  endpoint_url: string | null;
  limits_enforced: boolean | null;
  limits_note: string | null;
  isolation: Isolation | null;
}

function readResults(steps: DoneStep[]): Found {
  const started = steps.findLast((one) => one.step === "start_server")?.result ?? {};
  const { limits_enforced, limits_note, isolation } = started;
  const resultOf = (name: string) => steps.find((one) => one.step === name)?.result;
  const version = resultOf("register_in_registry")?.["version"];
  const pinned = (artifact: string) =>
    steps.find((one) => one.step === "pin_artifact" && one.result["artifact"] === artifact)?.result;
  const digestOf = (artifact: string): string | null => {
    const digest = pinned(artifact)?.["digest"];
    return typeof digest === "string" ? digest : null;
  };
  const url = resultOf("open_endpoint")?.["endpoint_url"];
  return {
    version: typeof version === "number" ? version : null,
    digest: digestOf("model"),
    preprocessing_digest: digestOf("preprocessing"),
    signature: pinnedSignature(pinned("model"), pinned("preprocessing")),
    ...loadingIn(pinned),
    signed_by: signedIn(pinned),
    endpoint_url: typeof url === "string" ? url : null,
    limits_enforced: typeof limits_enforced === "boolean" ? limits_enforced : null,
    limits_note: typeof limits_note === "string" ? limits_note : null,
    isolation: isolationSchema.safeParse(isolation).data ?? null,
  };
}

function loadingIn(
  pinned: (artifact: string) => DoneStep["result"] | undefined,
): Pick<Found, "loading" | "loading_notes"> {
  const reports = ["model", "preprocessing"].flatMap((artifact) => {
    const report = loadingReportSchema.safeParse(pinned(artifact)?.["loading"]).data;
    return report === undefined ? [] : [{ artifact, report }];
  });
  return {
    loading: reports.some(({ artifact }) => artifact === "model") ? summaryOf(reports) : null,
    loading_notes: reports.flatMap(({ artifact, report }) => loadingNotes(report, artifact)),
  };
}

/** Null where no signature was asked for, which one artifact has if the other does. */
function signedIn(pinned: (artifact: string) => DoneStep["result"] | undefined): SignedBy[] | null {
  const signed = ["model", "preprocessing"].flatMap((artifact) => {
    const found = pinned(artifact)?.["signed_by"];
    return typeof found === "object" && found !== null ? [signedBySchema.parse({ ...found, artifact })] : [];
  });
  return signed.length === 0 ? null : signed;
}

/** Undefined where nothing was pinned. */
function pinnedSignature(
  model: DoneStep["result"] | undefined,
  preprocessing: DoneStep["result"] | undefined,
) {
  if (model === undefined) return undefined;
  const read = (result: DoneStep["result"]) =>
    modelSignatureSchema
      .nullable()
      .catch(null)
      .parse(result["signature"] ?? null);
  return preprocessing === undefined ? read(model) : signatureBehind(read(preprocessing), read(model));
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

/** A deployment that a rollback brings back keeps the time at which it was first deployed. */
function stampManifest(
  manifest: DeploymentManifest,
  plan: Plan,
  found: Found,
  now: string,
  seconds: number,
): DeploymentManifest {
  const endpoint_url = found.endpoint_url ?? manifest.endpoint_url;
  const isNew = plan.intent.some((change) => change.change === "insert_deployment");
  const { limits_enforced, limits_note, isolation } = found;
  const stamped = { ...manifest, limits_enforced, limits_note, isolation, endpoint_url };
  if (!isNew) return stamped;
  return {
    ...stamped,
    deployed_at: now,
    deployment_duration_seconds: hundredths(seconds),
    rollout: manifest.rollout && { ...manifest.rollout, next_tick_at: secondsAfter(now, LOOK_SECONDS) },
  };
}
