import type { z } from "zod";
import { AgentError } from "../../agents/base/agent_error.ts";
import { unmetCriterionSchema } from "../../agents/model_deployer/domain/plan.ts";
import type { errorViewSchema } from "../report_schemas.ts";

export type ErrorView = z.infer<typeof errorViewSchema>;

/** An error for scripts and people: the code, the sentence, and every unmet criterion. */
export function errorView(error: unknown): ErrorView {
  if (!(error instanceof AgentError)) {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return {
      code: "unexpected",
      message,
      retryable: false,
      refused: false,
      unmet: [],
      operation_id: null,
      problems: [],
      next: [],
      not_before: null,
    };
  }
  const unmet = unmetCriterionSchema.array().safeParse(error.details["unmet"]);
  const operation: unknown = error.details["operation_id"];
  const problems: unknown = error.details["problems"];
  return {
    code: error.code,
    message: error.message,
    retryable: error.retryable,
    refused: unmet.success,
    unmet: unmet.success ? unmet.data : [],
    operation_id: typeof operation === "string" ? operation : null,
    problems: Array.isArray(problems) ? problems.map(String) : [],
    next: [...error.next],
    not_before: error.not_before,
  };
}
