import { createHash } from "node:crypto";
import type { NewNotice } from "../agents/model_deployer/domain/notices/notices.ts";
import type { LongWaiting } from "../agents/model_deployer/ports/notification_ports.ts";
import type { Finding } from "../agents/model_deployer/reconciliation/reconciliation_report.ts";
import { problemOf } from "./same_problem.ts";

type NoticeDraft = Pick<NewNotice, "event_id" | "kind" | "severity" | "title"> & Partial<NewNotice>;

const WORKER = "a worker";

function notice(draft: NoticeDraft): NewNotice {
  return {
    experiment_id: null,
    endpoint_name: null,
    reason: "",
    by: WORKER,
    numbers: {},
    operation_id: null,
    rollout_id: null,
    command: null,
    ...draft,
  };
}

const markOf = (sentence: string): string =>
  createHash("sha256").update(problemOf(sentence)).digest("hex").slice(0, 12);

const hourOf = (now: string): string => now.slice(0, 13);
const dayOf = (now: string): string => now.slice(0, 10);

/** A problem that lasts is sent once an hour, by whichever worker sees it first. */
export function problemNotice(sentence: string, now: string): NewNotice {
  const event_id = `degraded:${markOf(sentence)}:${hourOf(now)}`;
  const command = "model-deployer status";
  return notice({ event_id, kind: "degraded", severity: "warning", title: sentence, command });
}

export function shortageNotice(sentence: string, now: string): NewNotice {
  const event_id = `disk:${markOf(sentence)}:${dayOf(now)}`;
  return notice({
    event_id,
    kind: "disk",
    severity: "act",
    title: sentence,
    command: "model-deployer doctor",
  });
}

export function certificateNotice(sentence: string, now: string): NewNotice {
  const event_id = `certificate:${markOf(sentence)}:${dayOf(now)}`;
  return notice({ event_id, kind: "certificate", severity: "act", title: sentence });
}

export function driftNotice({ subject, found, outcome, why }: Finding, now: string): NewNotice {
  const title = `${subject} had ${found} and is ${outcome}.`;
  return notice({
    event_id: `drift:${markOf(title)}:${hourOf(now)}`,
    kind: "drift",
    severity: outcome === "repaired" ? "info" : "warning",
    endpoint_name: subject.startsWith("e2i_") ? subject : null,
    title,
    reason: why ?? "",
  });
}

export function waitingNotices({ approvals, rollouts }: LongWaiting): NewNotice[] {
  return [
    ...approvals.map(({ operation_id, summary, requested_by, waits_until }) =>
      notice({
        event_id: `${operation_id}:approval_expires`,
        kind: "approval_expires",
        severity: "act",
        title: `${summary} Nobody has approved it, and it expires at ${waits_until}.`,
        by: requested_by,
        operation_id,
        command: `model-deployer approve ${operation_id} --reason "..."`,
      }),
    ),
    ...rollouts.map(({ rollout_id, endpoint_name, experiment_id, step_index, reason, minutes }) =>
      notice({
        event_id: `${rollout_id}:inconclusive:${step_index}`,
        kind: "inconclusive",
        severity: "warning",
        title: `${endpoint_name}: step ${step_index + 1} has been inconclusive for ${minutes} minutes.`,
        reason,
        endpoint_name,
        experiment_id,
        rollout_id,
        numbers: { minutes },
        command: `model-deployer status ${endpoint_name}`,
      }),
    ),
  ];
}
