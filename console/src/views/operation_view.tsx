import { useSignal } from "@preact/signals";
import { nextStepSchema } from "../../../src/agents/base/next_step.ts";
import { operationReportSchema } from "../../../src/service/operations/operation_schemas.ts";
import type { OperationReport } from "../api/answer_schemas.ts";
import { ask } from "../api/client.ts";
import { now } from "../live_clock.ts";
import { hashOf } from "../hash_route.ts";
import { useAsked } from "../parts/asked.ts";
import { DecisionForm } from "../parts/decisions/decision_form.tsx";
import { EvidenceTable } from "../parts/decisions/evidence_table.tsx";
import { StatusTag } from "../parts/marks.tsx";
import { NotBefore } from "../parts/problems/not_before.tsx";
import { PlanDifferenceList } from "../parts/decisions/plan_difference.tsx";
import { ProblemNote } from "../parts/problems/problem_note.tsx";
import { WaysOut } from "../parts/problems/ways_out.tsx";
import { agoText, durationText, instantText, secondsBetween } from "../readable.ts";
import { operations } from "../store.ts";

/** An operation with its plan as a difference, the evidence beside it, and who has decided what. */
export function OperationView({ id }: { id: string }) {
  const told = operations.value.get(id);
  const revision = useSignal(0);
  const asked = useAsked(
    () => ask(operationReportSchema, `/v1/operations/${encodeURIComponent(id)}`),
    [id, told?.status, told?.approvals_given, revision.value],
  );
  const operation = asked.answer.value;
  if (operation === null) {
    return asked.error.value === null ? (
      <p class="page-note quiet">Looking …</p>
    ) : (
      <ProblemNote error={asked.error.value} />
    );
  }
  return <Shown operation={operation} onDecided={() => (revision.value += 1)} />;
}

function Shown({ operation, onDecided }: { operation: OperationReport; onDecided: () => void }) {
  const { plan, status, decision } = operation;
  return (
    <>
      <header class="page-head">
        <h1 class="capital" tabIndex={-1}>
          {operation.action.replaceAll("_", " ")}
        </h1>
        <StatusTag status={status} />
        <Facts operation={operation} />
      </header>
      <div class="decide">
        <section class="panel" aria-labelledby="plan-title">
          <h2 id="plan-title">What it changes</h2>
          {plan === null ? <p class="quiet">It has no plan.</p> : <PlanDifferenceList plan={plan} />}
        </section>
        <section class="panel decide-evidence" aria-labelledby="evidence-title">
          <h2 id="evidence-title">What it rests on</h2>
          <EvidenceTable rows={decision} />
        </section>
        <div class="decide-by">
          <Ended operation={operation} />
          <Approvals operation={operation} />
          {status === "awaiting_approval" && <DecisionForm operation={operation} onDecided={onDecided} />}
        </div>
      </div>
    </>
  );
}

/** Why it came to nothing, and each way on from there. */
function Ended({ operation: { refusal, error } }: { operation: OperationReport }) {
  const sentence = refusal?.sentence ?? error?.message;
  if (sentence === undefined) return null;
  const ofError = nextStepSchema.array().safeParse(error?.details["next"]);
  return (
    <>
      <p class="verdict verdict-fail">{sentence}</p>
      <NotBefore instant={refusal?.not_before ?? null} />
      <WaysOut ways={refusal?.next ?? ofError.data ?? []} />
    </>
  );
}

function Facts({ operation }: { operation: OperationReport }) {
  const { requested_by, created_at, waits_until, endpoint_name, experiment_id, status } = operation;
  const expires = waits_until === null ? null : -secondsBetween(waits_until, now.value);
  return (
    <p class="quiet">
      asked for by <strong>{requested_by}</strong> {agoText(created_at, now.value)}
      {endpoint_name !== null && (
        <>
          {" · "}
          <a href={hashOf({ view: "endpoint", endpoint: endpoint_name })}>{endpoint_name}</a>
        </>
      )}
      {experiment_id !== null && (
        <>
          {" · "}
          <a href={hashOf({ view: "history", subject: experiment_id })}>history of {experiment_id}</a>
        </>
      )}
      {status === "awaiting_approval" && expires !== null && ` · expires in ${durationText(expires)}`}
    </p>
  );
}

function Approvals({
  operation: { approvals, approvals_needed, approvals_given },
}: {
  operation: OperationReport;
}) {
  if (approvals_needed === 0) return null;
  return (
    <section class="panel" aria-labelledby="approvals-title">
      <h2 id="approvals-title">
        Approvals, {approvals_given} of {approvals_needed}
      </h2>
      {approvals.length === 0 && <p class="quiet">Nobody has decided yet.</p>}
      <ul class="approvals">
        {approvals.map((one) => (
          <li key={one.approval_id} class={one.revoked_at === null ? "" : "revoked"}>
            <strong>{one.approver}</strong> {instantText(one.granted_at, now.value)}: {one.reason}
            {one.revoked_at !== null && <span class="quiet"> taken back: {one.revoke_reason}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}
