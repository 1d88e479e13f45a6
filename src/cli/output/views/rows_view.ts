import { hasFailed } from "../../../agents/model_deployer/domain/evidence/kept_rows.ts";
import { count } from "../../../agents/model_deployer/planning/wording/count.ts";
import type { Disagreements, Replay } from "../../../service/rows/row_schemas.ts";
import type { Paint } from "../terminal/terminal.ts";

const SHOWN = 160;

export function disagreementLines(
  { endpoint_name, kept, compared, why_none, disagreements }: Disagreements,
  paint: Paint,
): string[] {
  const none = why_none === null ? "No two answers differ." : `None are kept: ${why_none}.`;
  return [
    `${paint.bold(endpoint_name)}: ${count(kept, "row")} kept, ${compared} of them answered by several deployments`,
    ...(disagreements.length > 0 ? disagreements.flatMap(pairLines) : [none]),
  ];
}

function pairLines({ request_id, input, answers }: Disagreements["disagreements"][number]): string[] {
  return [
    `  ${request_id}  ${cut(JSON.stringify(input))}`,
    ...answers.map(
      (one) =>
        `    ${one.deployment_id}  ${one.has_failed ? "failed" : cut(JSON.stringify(one.prediction))}${one.score === null ? "" : `  score ${one.score}`}`,
    ),
  ];
}

export function replayLines(shown: Replay, paint: Paint): string[] {
  const { model_version_id, deployment_id, chosen, sent, why_partial, failed, rows } = shown;
  const number = why_partial === null ? count(sent, "row") : `the first ${sent} of ${count(chosen, "row")}`;
  return [
    `${paint.bold(deployment_id)} of ${model_version_id}: ${number} sent, ${failed} answered with an error`,
    ...(why_partial === null ? [] : [paint.yellow(`The others were not sent: ${why_partial}.`)]),
    ...rows.filter(({ candidate }) => hasFailed(candidate)).map(failedLine),
  ];
}

function failedLine({ request_id, candidate, baseline }: Replay["rows"][number]): string {
  const beside = baseline === null ? "" : `; what serves now answers ${baseline.status}`;
  return `  ${request_id}  ${candidate.status} ${cut(candidate.body)}${beside}`;
}

const cut = (text: string): string => (text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`);
