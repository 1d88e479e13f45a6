import type { z } from "zod";
import { AgentError } from "../agents/base/agent_error.ts";
import { unmetCriterionSchema } from "../agents/model_deployer/domain/plan.ts";
import type { errorViewSchema } from "./schemas.ts";
import type { Paint } from "./terminal.ts";

export type ErrorView = z.infer<typeof errorViewSchema>;

/** An error as a script and a person get it: the code, the sentence, and everything that is missing. */
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
  };
}

export function errorLines(view: ErrorView, paint: Paint): string[] {
  const { unmet, problems } = view;
  const list = unmet.length > 0 ? unmet.map((one) => one.sentence) : problems;
  const head = list.reduce((text, sentence) => text.replace(sentence, ""), view.message);
  const sentence = head.replaceAll(/[\s;]+\.?$|:\s*(;\s*)*\.?\s*$/g, "").trim();
  return [
    `${paint.bold(paint.red(view.code))}  ${sentence}`,
    ...list.map((one) => `  ${paint.red("-")} ${one}`),
    ...wayOut(view).map((line) => `  ${paint.dim(line)}`),
  ];
}

function wayOut({ code, operation_id: id, retryable }: ErrorView): string[] {
  if (code === "approval_required" && id !== null) {
    return [
      `somebody else approves it:  model-deployer approve ${id}`,
      `then it is carried on by:   model-deployer resume-operation ${id}`,
    ];
  }
  if (code === "interrupted" && id !== null) {
    return [
      `the same command goes on with it, and so does a worker, or:  model-deployer resume-operation ${id}`,
    ];
  }
  if (code === "service_unavailable")
    return ["see which part is down and what to do:  model-deployer doctor"];
  return retryable ? ["the same command may succeed when it is given again"] : [];
}
