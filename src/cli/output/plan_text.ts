import type { z } from "zod";
import type { PlanDifference } from "../../agents/model_deployer/planning/plan_difference.ts";
import type { SignatureComparison } from "../../agents/model_deployer/domain/models/model_signature.ts";
import type { planReportSchema } from "../../service/report_schemas.ts";
import { columnText } from "../../agents/model_deployer/planning/comparisons/signature_comparison.ts";
import { count } from "../../agents/model_deployer/planning/wording/count.ts";
import type { Paint } from "./terminal/terminal.ts";

/** A plan as a difference: each state before and after, with versions by their names where the plan knows them. */
export function planLines(plan: z.infer<typeof planReportSchema>, paint: Paint): string[] {
  const called = (text: string) => text.replaceAll(/\w+/g, (word) => plan.names[word] ?? word);
  const width = Math.max(0, ...plan.differences.map((one) => one.subject.length));
  return [
    paint.bold(plan.summary),
    ...plan.differences.flatMap((one) => differenceLines(one, called, width, paint)),
    ...(plan.differences.length === 0 ? [paint.dim("  nothing changes")] : []),
    ...signatureLines(plan.signature, called, paint),
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

/** Each column that differs from what serves now; yellow where callers' requests of today would be refused. */
function signatureLines(
  comparison: SignatureComparison | null,
  called: (text: string) => string,
  paint: Paint,
): string[] {
  if (comparison === null) return [];
  const { without_signature: without, differences, compared_with } = comparison;
  const against = called(compared_with);
  if (without.length > 0) {
    const have = without.length === 1 ? "has" : "have";
    const unsigned = `${without.map(called).join(" and ")} ${have} none, so no columns are compared`;
    return [paint.dim(`  signature   ${unsigned}`)];
  }
  if (differences.length === 0) return [paint.dim(`  signature   the same columns as ${against}`)];
  return [
    `  signature   against ${paint.cyan(against)}`,
    ...differences.map((one) =>
      one.breaks_callers
        ? paint.yellow(`    ${columnText(one)}: callers have to change`)
        : `    ${columnText(one)}`,
    ),
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
