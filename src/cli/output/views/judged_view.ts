import type { Paint } from "../terminal/terminal.ts";
import { count } from "../../../agents/model_deployer/planning/wording/count.ts";
import type { ReportedLook, JudgedReport } from "../../../service/judging/judged_schemas.ts";

const COLOURS = { pass: "green", fail: "red", inconclusive: "yellow" } as const;

/** The looks at which the verdict or the step changed, or all, with what was said then where that differs. */
export function judgedLines(data: JudgedReport, showsAll: boolean, paint: Paint): string[] {
  const { rollout_id, endpoint_name, status, looks } = data;
  const shown = looks.filter(
    (look, index) => showsAll || isNews(look, looks[index - 1], index, looks.length),
  );
  const first = looks.find(({ verdict }) => verdict.outcome === "fail");
  return [
    `${paint.bold(rollout_id)} on ${endpoint_name}, ${status.replace("_", " ")}, ${count(looks.length, "look")} kept`,
    ...changedSettings(data).map((line) => paint.dim(line)),
    ...shown.map((look) => lineOf(look, paint)),
    looks.length === 0
      ? "Nobody has looked at it yet."
      : first === undefined
        ? "It would not have failed."
        : `It would have failed at ${first.looked_at}.`,
  ];
}

function isNews(look: ReportedLook, before: ReportedLook | undefined, index: number, all: number): boolean {
  if (before === undefined || index === all - 1) return true;
  return (
    before.verdict.outcome !== look.verdict.outcome ||
    before.verdict.lacks !== look.verdict.lacks ||
    before.step_index !== look.step_index ||
    before.then.outcome !== look.then.outcome
  );
}

function changedSettings({ settled_by, settings }: JudgedReport): string[] {
  const before = new Map<string, unknown>(Object.entries(settled_by));
  return Object.entries(settings).flatMap(([name, value]: [string, unknown]) => {
    const [now, then] = [JSON.stringify(value), JSON.stringify(before.get(name))];
    return now === then ? [] : [`  ${name} ${now} instead of ${then ?? "none"}`];
  });
}

function lineOf({ looked_at, step_index, share, then, verdict }: ReportedLook, paint: Paint): string {
  const said = paint[COLOURS[verdict.outcome]](verdict.outcome.padEnd(12));
  const otherwise = then.outcome === verdict.outcome ? "" : paint.dim(` (then: ${then.outcome})`);
  const step = `step ${step_index + 1}, ${Math.round(100 * share)} %`.padEnd(13);
  return `  ${looked_at}  ${step}  ${said} ${verdict.reason}${otherwise}`;
}
