import type { Change, ChangeOf } from "../../domain/changes.ts";
import type { NewNotice } from "../../domain/notices/notices.ts";
import type { Plan, StepOf } from "../../domain/plan.ts";
import type { DecisionRow } from "../approval/decision_row.ts";
import { decisionTable } from "../approval/decision_table.ts";
import { count } from "../wording/count.ts";

export interface NoticeContext {
  operation_id: string;
  requested_by: string;
}

type NoticeDraft = Pick<NewNotice, "kind" | "severity" | "title"> &
  Partial<Pick<NewNotice, "reason" | "numbers" | "command" | "rollout_id">>;

/** The notices of a plan that has been carried out; none of a mere look at a rollout. */
export function noticesOf(plan: Plan, context: NoticeContext): ChangeOf<"notify">[] {
  const changes = [
    ...plan.intent,
    ...plan.steps.flatMap(({ then }) => then),
    ...plan.on_success.filter(({ change }) => change !== "enqueue"),
  ];
  const route = plan.steps.map(({ do: step }) => step).find((step) => step.step === "want_route");
  const moves = changes.filter((one) => one.change === "move_rollout");
  const moved = moves.findLast(({ event }) => event !== undefined) ?? moves.at(-1);
  const seen: Seen = { plan, changes, route, moved };
  const told = [rolledBack, started, stepTaken, challenged, judged, controlled, promoted].flatMap((find) =>
    find(seen),
  );
  const isBack = told.some(({ kind }) => kind === "rolled_back");
  return told
    .filter(({ kind }) => !isBack || kind === "rolled_back")
    .map((one) => notify(noticeOf(one, plan, context)));
}

/**
 * The notice of a plan that waits for approvals, sent once however often it is planned anew at the same state of the
 * endpoint.
 */
export function approvalNotice(plan: Plan, context: NoticeContext): ChangeOf<"notify"> {
  const { operation_id } = context;
  const title = `${plan.summary} It waits for ${count(plan.approvals_needed, "approval")} by somebody other than ${context.requested_by}.`;
  const told: NoticeDraft = {
    kind: "approval_waits",
    severity: "act",
    title,
    reason: [...decisionTable(plan).map(rowText), ...plan.notes].join("\n"),
    command: `model-deployer approve ${operation_id} --reason "..."`,
  };
  const notice = noticeOf(told, plan, context);
  return notify({ ...notice, event_id: `${operation_id}:approval_waits:${plan.generation}` });
}

export function failureNotice(
  plan: Plan,
  failure: { code: string; message: string },
  context: NoticeContext,
): ChangeOf<"notify"> {
  const title = `${plan.summary} It failed (${failure.code}).`;
  const told: NoticeDraft = { kind: "operation_failed", severity: "warning", title, reason: failure.message };
  return notify(noticeOf(told, plan, context));
}

export const notify = (notice: NewNotice): ChangeOf<"notify"> => ({ change: "notify", notice });

interface Seen {
  plan: Plan;
  changes: Change[];
  route: StepOf<"want_route"> | undefined;
  moved: ChangeOf<"move_rollout"> | undefined;
}

function rolledBack({ plan, changes, route, moved }: Seen): NoticeDraft[] {
  const event = moved?.event;
  const isEnded = event?.kind === "rollout_rolled_back" || event?.kind === "rollout_aborted";
  const stage = changes.find((one) => one.change === "set_stage" && one.kind === "rollback");
  const left = changes.find((one) => one.change === "set_deployment_status" && one.to === "rolled_back");
  if (!isEnded && stage === undefined && left === undefined) return [];
  const reason = event?.reason ?? route?.reason ?? (stage?.change === "set_stage" ? stage.reason : "");
  return [
    {
      ...{ kind: "rolled_back", severity: "warning", title: plan.summary, reason },
      numbers: event?.metrics ?? route?.metrics ?? {},
      ...ofRollout(moved),
    },
  ];
}

function started({ plan, changes }: Seen): NoticeDraft[] {
  const start = oneOf(changes, "start_rollout");
  if (start === undefined) return [];
  const { rollout_id } = start.rollout;
  const numbers = start.metrics ?? {};
  return [
    {
      kind: "rollout_started",
      severity: "info",
      title: plan.summary,
      reason: start.reason ?? "",
      rollout_id,
      numbers,
    },
  ];
}

function stepTaken({ plan, moved, route }: Seen): NoticeDraft[] {
  if (moved === undefined || moved.step_index <= moved.expected_step_index) return [];
  const reason = moved.verdict?.reason ?? route?.reason ?? "";
  const numbers = route?.metrics ?? {};
  return [
    { kind: "step_taken", severity: "info", title: plan.summary, reason, numbers, ...ofRollout(moved) },
  ];
}

/** Traffic moves between both sides without a step: a comparison begins or ends. */
function challenged({ plan, moved, route }: Seen): NoticeDraft[] {
  if (moved === undefined || route === undefined || moved.event !== undefined) return [];
  if (moved.step_index !== moved.expected_step_index) return [];
  const { reason, metrics: numbers = {} } = route;
  return [{ kind: "challenge", severity: "info", title: plan.summary, reason, numbers, ...ofRollout(moved) }];
}

function judged({ plan, moved }: Seen): NoticeDraft[] {
  const event = moved?.event;
  if (event === undefined) return [];
  const isPaused = event.kind === "rollout_paused" && moved?.pause?.by === JUDGE;
  if (!isPaused && event.kind !== "rollout_completed") return [];
  return [
    {
      ...{ kind: "verdict", severity: isPaused ? "act" : "info", title: plan.summary, reason: event.reason },
      numbers: event.metrics ?? {},
      command: isPaused ? `model-deployer resume ${plan.lease_name} --reason "..."` : null,
      ...ofRollout(moved),
    },
  ];
}

/** A person pauses it, lets it go on, or gives the candidate all traffic. */
function controlled({ plan, moved }: Seen): NoticeDraft[] {
  const event = moved?.event;
  if (event === undefined || !CONTROLS.includes(event.kind) || moved?.pause?.by === JUDGE) return [];
  const { reason, metrics: numbers = {} } = event;
  return [
    { kind: "controlled", severity: "info", title: plan.summary, reason, numbers, ...ofRollout(moved) },
  ];
}

function promoted({ plan, changes }: Seen): NoticeDraft[] {
  const moves = changes.filter((one) => one.change === "set_stage");
  const up = moves.find((one) => one.to === "production" && one.kind !== "rollback");
  if (up === undefined) return [];
  const { reason, metrics: numbers } = up;
  return [{ kind: "promoted", severity: "info", title: plan.summary, reason, numbers }];
}

const JUDGE = "the judge";
const CONTROLS: readonly string[] = ["rollout_paused", "rollout_resumed", "rollout_promoted"];

function oneOf<K extends Change["change"]>(changes: Change[], kind: K): ChangeOf<K> | undefined {
  return changes.find((one): one is ChangeOf<K> => one.change === kind);
}

const ofRollout = (moved: ChangeOf<"move_rollout"> | undefined) =>
  moved === undefined ? {} : { rollout_id: moved.rollout_id };

/** The endpoint is known by the plan's lease, the experiment by the endpoint or the operation when the notice is written down. */
function noticeOf(told: NoticeDraft, plan: Plan, { operation_id, requested_by }: NoticeContext): NewNotice {
  return {
    event_id: `${operation_id}:${told.kind}`,
    experiment_id: null,
    endpoint_name: plan.lease_name.startsWith("e2i_") ? plan.lease_name : null,
    reason: "",
    by: requested_by,
    numbers: {},
    operation_id,
    rollout_id: null,
    command: null,
    ...told,
  };
}

function rowText({ what, candidate, required, met }: DecisionRow): string {
  const bound = required === null ? "" : ` (asked for: ${required})`;
  return `${what}: ${candidate}${bound}${met === false ? ", not met" : ""}`;
}
