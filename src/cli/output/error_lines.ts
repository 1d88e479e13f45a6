import type { ErrorView } from "../../service/problems/error_view.ts";
import type { Paint } from "./terminal/terminal.ts";

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

function wayOut(view: ErrorView): string[] {
  const { code, operation_id: id, retryable, not_before, next } = view;
  const later = not_before === null ? [] : [`the same command makes sense again from ${not_before} on`];
  if (next.length > 0) return [...next.flatMap(({ command, why }) => [`${why}:`, `  ${command}`]), ...later];
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
  if (later.length > 0) return later;
  return retryable ? ["the same command may succeed when it is given again"] : [];
}
