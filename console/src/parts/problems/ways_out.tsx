import { useSignal } from "@preact/signals";
import { z } from "zod";
import { planReportSchema } from "../../../../src/service/report_schemas.ts";
import type { Problem } from "../../api/answer_schemas.ts";
import { ask, ProblemError, request } from "../../api/client.ts";
import { hashOf } from "../../hash_route.ts";
import { PlanDifferenceList, type PlanReport } from "../decisions/plan_difference.tsx";
import { ProblemText } from "./problem_text.tsx";

type WayOut = Problem["next"][number];

/** A refusal's ways out: a button for each that this page can ask for, and the command for the rest. */
export function WaysOut({ ways }: { ways: readonly WayOut[] }) {
  if (ways.length === 0) return null;
  return (
    <ul class="next">
      {ways.map((way) => (
        <li key={way.command}>
          <Way way={way} />
        </li>
      ))}
    </ul>
  );
}

const approvedSchema = z.string().regex(/^model-deployer approve (op_\S+)/);

function Way({ way }: { way: WayOut }) {
  const open = useSignal(false);
  const approves = approvedSchema.safeParse(way.command);
  if (approves.success) {
    const operation = approves.data.split(" ")[2] ?? "";
    return (
      <>
        <a href={hashOf({ view: "operation", operation })}>Show what waits</a>: {way.why}
      </>
    );
  }
  if (way.request === null) {
    return (
      <>
        {way.why}: <code>{way.command}</code>
      </>
    );
  }
  return (
    <>
      <button type="button" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
        {titleOf(way.action)}
      </button>{" "}
      {way.why}
      {open.value && <Asked request={way.request} />}
    </>
  );
}

const titleOf = (action: string): string => {
  const words = action.replaceAll("_", " ");
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)} …`;
};

/** Fields that stand as "..." a person has to say. */
const openFields = (asked: Record<string, unknown>): string[] =>
  Object.keys(asked).filter((name) => asked[name] === "...");

/** Its plan first, then the action. */
function Asked({ request: asked }: { request: Record<string, unknown> }) {
  const said = useSignal<Record<string, string>>({});
  const { plan, problem, isDone, go } = useAction({ ...asked, ...said.value });
  const missing = openFields(asked);
  if (isDone) return <p role="status">It is under way.</p>;
  return (
    <div class="way-out">
      <Words names={missing} said={said.value} onSay={(words) => (said.value = words)} />
      {plan !== null && <PlanDifferenceList plan={plan} />}
      <Refused error={problem} />
      <div class="dialog-buttons">
        <button
          type="button"
          disabled={missing.some((name) => (said.value[name] ?? "").trim() === "")}
          onClick={go}
        >
          {plan === null ? "Show its plan" : "Do it"}
        </button>
      </div>
    </div>
  );
}

/** An action that is planned at first, and carried out as it was shown. */
function useAction(body: Record<string, unknown>) {
  const plan = useSignal<PlanReport | null>(null);
  const problem = useSignal<unknown>(null);
  const isDone = useSignal(false);
  const look = async () => {
    plan.value = await ask(planReportSchema, "/v1/plans", { method: "POST", body });
  };
  const act = async ({ generation }: PlanReport) => {
    await request("/v1/actions", { method: "POST", body, headers: { "if-match": `"${generation}"` } });
    isDone.value = true;
  };
  const attempt = async () => {
    problem.value = null;
    try {
      await (plan.value === null ? look() : act(plan.value));
    } catch (error) {
      problem.value = error;
    }
  };
  const go = () => void attempt();
  return { plan: plan.value, problem: problem.value, isDone: isDone.value, go };
}

interface WordsProps {
  names: string[];
  said: Record<string, string>;
  onSay: (said: Record<string, string>) => void;
}

/** The fields that a person has to fill in. */
function Words({ names, said, onSay }: WordsProps) {
  return (
    <>
      {names.map((name) => (
        <label key={name} class="field">
          {name.replaceAll("_", " ")}
          <input
            maxLength={500}
            value={said[name] ?? ""}
            onInput={(event) => onSay({ ...said, [name]: event.currentTarget.value })}
          />
        </label>
      ))}
    </>
  );
}

function Refused({ error }: { error: unknown }) {
  if (error === null) return null;
  return (
    <div class="problem" role="alert">
      <ProblemText error={error} />
      {error instanceof ProblemError && <WaysOut ways={error.problem.next} />}
    </div>
  );
}
