import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { planReportSchema } from "../../../../src/service/report_schemas.ts";
import { ask, request } from "../../api/client.ts";
import { asking, type Control, requestOf } from "../../controls.ts";
import { endpoints } from "../../store.ts";
import { useAsked } from "../asked.ts";
import { Chips } from "../chips.tsx";
import { PlanDifferenceList, type PlanReport } from "./plan_difference.tsx";
import { ProblemNote } from "../problems/problem_note.tsx";

/** Shows what a control would change, asks why, and does it. */
export function ControlDialog() {
  const now = asking.value;
  return now === null ? null : (
    <OpenDialog key={`${now.control.name} ${now.endpoint}`} control={now.control} first={now.endpoint} />
  );
}

const close = () => {
  asking.value = null;
};

function OpenDialog({ control, first }: { control: Control; first: string }) {
  const box = useRef<HTMLDialogElement>(null);
  const endpoint = useSignal(first);
  const reason = useSignal<string>(control.reasons[0]);
  useEffect(() => box.current?.showModal(), []);
  const { plan, error, doing, problem, carryOut } = useControl(control, endpoint.value);
  return (
    <dialog ref={box} class="dialog" aria-labelledby="dialog-title" onClose={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          carryOut(reason.value);
        }}
      >
        <h2 id="dialog-title">
          {control.title} <span class="name">{endpoint.value}</span>
        </h2>
        <p class="quiet">It {control.says}.</p>
        <EndpointChoice
          endpoint={endpoint.value}
          onChoose={(name) => (endpoint.value = name)}
          control={control}
        />
        <section aria-label="what it changes" aria-live="polite" class="dialog-plan">
          {plan !== null && <PlanDifferenceList plan={plan} />}
          {plan === null && error === null && <p class="quiet">Planning …</p>}
          <ProblemNote error={error} />
        </section>
        <Reason control={control} reason={reason.value} onReason={(text) => (reason.value = text)} />
        <ProblemNote error={problem} />
        <div class="dialog-buttons">
          <button type="button" onClick={() => box.current?.close()}>
            Leave it
          </button>
          <button
            type="submit"
            class={control.isDangerous === true ? "button-danger" : "button-main"}
            disabled={doing || plan === null || reason.value.trim() === ""}
          >
            {doing ? "At it …" : control.title}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** A control's plan, and its way to be carried out; one that is refused is planned again. */
function useControl(control: Control, endpoint: string) {
  const doing = useSignal(false);
  const problem = useSignal<unknown>(null);
  const looked = useSignal(0);
  const { plan, error } = usePlan(control, endpoint, looked.value);
  const attempt = async (shown: PlanReport, reason: string) => {
    doing.value = true;
    problem.value = await carriedOut(control, endpoint, reason, shown);
    doing.value = false;
    if (problem.value === null) close();
    else looked.value += 1;
  };
  const carryOut = (reason: string) => {
    if (plan !== null) void attempt(plan, reason);
  };
  return { plan, error, doing: doing.value, problem: problem.value, carryOut };
}

interface Planned {
  endpoint: string;
  /** How often a plan was refused before. */
  looked: number;
  outcome: { plan: PlanReport; error: null } | { plan: null; error: unknown };
}

/** What the control would change of this endpoint; a plan of another one, or from before a refusal, is no plan. */
function usePlan(control: Control, endpoint: string, looked: number): Planned["outcome"] {
  const planned = useAsked(async (): Promise<Planned> => {
    const body = requestOf(control, endpoint, control.reasons[0]);
    try {
      const plan = await ask(planReportSchema, "/v1/plans", { method: "POST", body });
      return { endpoint, looked, outcome: { plan, error: null } };
    } catch (error) {
      return { endpoint, looked, outcome: { plan: null, error } };
    }
  }, [endpoint, looked]).answer.value;
  const isOfNow = planned?.endpoint === endpoint && planned.looked === looked;
  return isOfNow ? planned.outcome : { plan: null, error: null };
}

/** Null when it is done or under way. What was seen goes along, so that a page that is behind changes nothing. */
async function carriedOut(
  control: Control,
  endpoint: string,
  reason: string,
  { generation }: PlanReport,
): Promise<unknown> {
  try {
    await request("/v1/actions", {
      method: "POST",
      body: requestOf(control, endpoint, reason.trim()),
      headers: { "if-match": `"${generation}"` },
    });
    return null;
  } catch (error) {
    return error;
  }
}

interface ChoiceProps {
  endpoint: string;
  control: Control;
  onChoose: (name: string) => void;
}

/** Which endpoint, where the control was asked for from a page about none. */
function EndpointChoice({ endpoint, control, onChoose }: ChoiceProps) {
  const serving = [...endpoints.value.values()].filter(({ traffic }) =>
    traffic.some(({ weight }) => weight > 0),
  );
  if (control.name !== "rollback" || serving.length < 2) return null;
  return (
    <label class="field">
      endpoint
      <select value={endpoint} onChange={(event) => onChoose(event.currentTarget.value)}>
        {serving.map(({ endpoint_name }) => (
          <option key={endpoint_name}>{endpoint_name}</option>
        ))}
      </select>
    </label>
  );
}

interface ReasonProps {
  control: Control;
  reason: string;
  onReason: (text: string) => void;
}

function Reason({ control, reason, onReason }: ReasonProps) {
  return (
    <div class="field">
      <label for="reason">why, for whoever reads the history</label>
      <input
        id="reason"
        value={reason}
        maxLength={500}
        required
        onInput={(event) => onReason(event.currentTarget.value)}
      />
      <Chips
        label="usual reasons"
        choices={control.reasons.map((one) => [one, one])}
        chosen={reason}
        onChoose={onReason}
      />
    </div>
  );
}
