import { z } from "zod";
import { type Criterion, criterionSchema } from "../../domain/entities.ts";

const changeSchema = z.object({ from: z.array(criterionSchema), to: z.array(criterionSchema) });

/** How the criteria of an experiment changed, from the evidence that the history keeps of it; null where that is none. */
export function criteriaChangeText(evidence: Record<string, unknown>): string | null {
  const change = changeSchema.safeParse(evidence);
  return change.success ? `${told(change.data.from)} → ${told(change.data.to)}` : null;
}

function told(criteria: readonly Criterion[]): string {
  const each = criteria.map(
    ({ metric, bound, direction }) => `${metric} ${direction === "at_least" ? ">=" : "<="} ${bound}`,
  );
  return each.join(", ") || "none";
}
