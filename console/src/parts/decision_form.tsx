import { useSignal } from "@preact/signals";
import { operationReportSchema } from "../../../src/service/operations/operation_schemas.ts";
import type { OperationReport } from "../api/answer_schemas.ts";
import { ask, request } from "../api/client.ts";
import { principal } from "../session.ts";
import { ProblemNote } from "./problem_note.tsx";

interface Props {
  operation: OperationReport;
  onDecided: () => void;
}

/** Approve or decline with a reason, as who one is. What is approved goes on at once. */
export function DecisionForm({ operation, onDecided }: Props) {
  const reason = useSignal("");
  const doing = useSignal<"approve" | "decline" | null>(null);
  const problem = useSignal<unknown>(null);
  const decide = async (what: "approve" | "decline") => {
    doing.value = what;
    try {
      await DECISIONS[what](operation.operation_id, reason.value.trim());
      problem.value = null;
    } catch (error) {
      problem.value = error;
    }
    doing.value = null;
    onDecided();
  };
  const isOwn = operation.requested_by === principal.value;
  const isReady = doing.value === null && reason.value.trim() !== "";
  return (
    <form
      class="panel decision"
      aria-labelledby="decision-title"
      onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !isOwn) void decide("approve");
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
      <ProblemNote error={problem.value} />
      <div class="dialog-buttons">
        <button
          type="button"
          class="button-danger-quiet"
          disabled={!isReady}
          onClick={() => void decide("decline")}
        >
          {doing.value === "decline" ? "Declining …" : "Decline"}
        </button>
        <button type="submit" class="button-main" disabled={!isReady || isOwn}>
          {doing.value === "approve" ? "Carrying it out …" : "Approve and carry out"}
        </button>
      </div>
    </form>
  );
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
