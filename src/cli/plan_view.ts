import type { z } from "zod";
import type { PlanDifference } from "../agents/model_deployer/domain/plan_difference.ts";
import type { planReportSchema } from "./schemas.ts";
import { count } from "./count.ts";
import type { Paint } from "./terminal.ts";

/** A plan as a difference: what it is, what it becomes. */
export function planLines(plan: z.infer<typeof planReportSchema>, paint: Paint): string[] {
  const width = Math.max(0, ...plan.differences.map((one) => one.subject.length));
  return [
    paint.bold(plan.summary),
    ...plan.differences.flatMap((one) => differenceLines(one, width, paint)),
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
  width: number,
  paint: Paint,
): string[] {
  const label = `  ${subject.padEnd(width)}  ${paint.cyan(name)}`;
  return [
    label,
    ...(before === null ? [] : [paint.red(`  ${" ".repeat(width)}  - ${before}`)]),
    ...(after === null ? [] : [paint.green(`  ${" ".repeat(width)}  + ${after}`)]),
  ];
}
