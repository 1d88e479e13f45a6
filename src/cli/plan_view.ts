import type { z } from "zod";
import type { PlanDifference } from "../agents/model_deployer/domain/plan_difference.ts";
import type { planReportSchema } from "./schemas.ts";
import { count } from "../agents/model_deployer/domain/count.ts";
import type { Paint } from "./terminal.ts";

/** A plan as a difference: what it is, what it becomes; versions by their names where the plan knows them. */
export function planLines(plan: z.infer<typeof planReportSchema>, paint: Paint): string[] {
  const called = (text: string) => text.replaceAll(/\w+/g, (word) => plan.names[word] ?? word);
  const width = Math.max(0, ...plan.differences.map((one) => one.subject.length));
  return [
    paint.bold(plan.summary),
    ...plan.differences.flatMap((one) => differenceLines(one, called, width, paint)),
    ...(plan.differences.length === 0 ? [paint.dim("  nothing changes")] : []),
    ...(plan.approvals_needed === 0
      ? []
      : [
          paint.yellow(
            `  needs ${count(plan.approvals_needed, "approval")} by somebody other than its requester`,
          ),
        ]),
    ...plan.notes.map((note) => paint.dim(`  note: ${note}`)),
  ];
}

function differenceLines(
  { subject, name, before, after }: PlanDifference,
  called: (text: string) => string,
  width: number,
  paint: Paint,
): string[] {
  const label = `  ${subject.padEnd(width)}  ${paint.cyan(called(name))}`;
  return [
    label,
    ...(before === null ? [] : [paint.red(`  ${" ".repeat(width)}  - ${called(before)}`)]),
    ...(after === null ? [] : [paint.green(`  ${" ".repeat(width)}  + ${called(after)}`)]),
  ];
}
