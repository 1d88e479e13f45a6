import type { z } from "zod";
import type { planReportSchema } from "../../../../src/service/report_schemas.ts";

export type PlanReport = z.infer<typeof planReportSchema>;

const FIRST = ["traffic", "mirror", "rollout", "stage"];

/** Differences that callers notice come first. */
function inOrder(differences: PlanReport["differences"]): PlanReport["differences"] {
  const rank = (subject: string) => (FIRST.includes(subject) ? FIRST.indexOf(subject) : FIRST.length);
  return [...differences].sort((a, b) => rank(a.subject) - rank(b.subject));
}

/** A plan as a difference, versions by their names where the plan knows them. */
export function PlanDifferenceList({ plan }: { plan: PlanReport }) {
  const called = (text: string) => text.replaceAll(/\w+/g, (word) => plan.names[word] ?? word);
  return (
    <div class="plan">
      <p class="plan-summary">{called(plan.summary)}</p>
      {plan.differences.length === 0 && <p class="quiet">Nothing changes.</p>}
      <dl class="differences">
        {inOrder(plan.differences).map((one) => (
          <div key={`${one.subject} ${one.name}`}>
            <dt>
              {one.subject} <span class="name">{called(one.name)}</span>
            </dt>
            {one.before !== null && (
              <dd>
                <del>
                  <span class="sr">before: </span>
                  {called(one.before)}
                </del>
              </dd>
            )}
            {one.after !== null && (
              <dd class="after">
                <ins>
                  <span class="sr">after: </span>
                  {called(one.after)}
                </ins>
              </dd>
            )}
          </div>
        ))}
      </dl>
      {plan.notes.length > 0 && (
        <ul class="notes">
          {plan.notes.map((note) => (
            <li key={note}>{called(note)}</li>
          ))}
        </ul>
      )}
    </div>
  );
}
