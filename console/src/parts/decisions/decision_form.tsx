import { useSignal } from "@preact/signals";
import { operationReportSchema } from "../../../../src/service/operations/operation_schemas.ts";
import type { OperationReport } from "../../api/answer_schemas.ts";
import { ask, request } from "../../api/client.ts";
import { principal } from "../../session.ts";
import { ProblemNote } from "../problems/problem_note.tsx";

interface Props {
  operation: OperationReport;
  onDecided: () => void;
}

/** Approve or decline with a reason, as who one is. What is approved goes on at once. */
export function DecisionForm({ operation, onDecided }: Props) {
  const reason = useSignal("");
  const { doing, problem, decide } = useDecision(operation, onDecided);
  const isOwn = operation.requested_by === principal.value;
  const isReady = doing === null && reason.value.trim() !== "";
  return (
    <form
      class="panel decision"
      aria-labelledby="decision-title"
      onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !isOwn) decide("approve", reason.value);
      }}
    >
      <h2 id="decision-title">Decide as {principal.value ?? "nobody"}</h2>
      {isOwn && <p class="quiet">You have asked for this, so somebody else approves it.</p>}
      <label class="field">
        why, for whoever reads the history
        <input
          value={reason.value}
          maxLength={500}
          required
          placeholder="what you looked at"
          onInput={(event) => (reason.value = event.currentTarget.value)}
        />
      </label>
      <ProblemNote error={problem} />
      <div class="dialog-buttons">
        <button
          type="button"
          class="button-danger-quiet"
          disabled={!isReady}
          onClick={() => decide("decline", reason.value)}
        >
          {doing === "decline" ? "Declining …" : "Decline"}
        </button>
        <button type="submit" class="button-main" disabled={!isReady || isOwn}>
          {doing === "approve" ? "Carrying it out …" : "Approve and carry out"}
        </button>
      </div>
    </form>
  );
}

type Decision = keyof typeof DECISIONS;

/** A decision that is under way, and why the last one failed. */
function useDecision(operation: OperationReport, onDecided: () => void) {
  const doing = useSignal<Decision | null>(null);
  const problem = useSignal<unknown>(null);
  const carryOut = async (decision: Decision, reason: string) => {
    doing.value = decision;
    try {
      await DECISIONS[decision](operation.operation_id, reason.trim());
      problem.value = null;
    } catch (error) {
      problem.value = error;
    }
    doing.value = null;
    onDecided();
  };
  const decide = (decision: Decision, reason: string) => void carryOut(decision, reason);
  return { doing: doing.value, problem: problem.value, decide };
}

const DECISIONS = {
  approve: async (id: string, reason: string): Promise<void> => {
    const path = `/v1/operations/${encodeURIComponent(id)}`;
    const body = { reason };
    const approved = await ask(operationReportSchema, `${path}/approvals`, { method: "POST", body });
    if (approved.approvals_given < approved.approvals_needed) return;
    await request(`${path}/resumptions`, { method: "POST" });
  },
  decline: async (id: string, reason: string): Promise<void> => {
    await request(`/v1/operations/${encodeURIComponent(id)}/refusals`, { method: "POST", body: { reason } });
  },
};
