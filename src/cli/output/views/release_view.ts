import { nextLines } from "../next_lines.ts";
import type { ReleaseReport } from "../start_schemas.ts";
import type { Paint } from "../terminal/terminal.ts";

const tokenOf = ({ approver_token_file: file }: ReleaseReport): string =>
  file === null ? "" : `--token-file ${file} `;

const CONSOLE = ["model-deployer console", "shows it too, with a roll back two clicks away"] as const;

export function releaseLines(data: ReleaseReport, paint: Paint): string[] {
  const name = `${data.model_name} version ${data.version}`;
  const watch = `model-deployer status ${data.endpoint_name ?? ""} --watch`;
  switch (data.status) {
    case "in_production": {
      const back = `model-deployer rollback ${data.endpoint_name ?? ""} --reason "..."`;
      return [
        paint.green(`${name} is in production`),
        ...(data.endpoint_url === null ? [] : [`  ${data.endpoint_url}/predict`]),
        ...nextLines([[watch, "traffic, figures and verdicts"], [back, "takes it back"], CONSOLE], paint),
      ];
    }
    case "in_rollout":
      return [
        paint.green(`${name} takes traffic step by step`),
        ...nextLines([[watch, "how it goes; a worker takes its steps"], CONSOLE], paint),
      ];
    case "waits_for_approval":
      return approvalLines(data, name, paint);
    case "waits_for_evidence":
      return evidenceLines(data, name, paint);
  }
}

function againOf({ steps, experiment_id, mlflow_run_id }: ReleaseReport): string {
  return `model-deployer release ${experiment_id} ${mlflow_run_id}${steps === null ? "" : ` --steps ${steps}`}`;
}

function approvalLines(data: ReleaseReport, name: string, paint: Paint): string[] {
  const approve = `model-deployer ${tokenOf(data)}approve ${data.operation_id ?? ""} --reason "..."`;
  return [
    paint.yellow(`${name} has met what production asks for, and waits for an approval`),
    ...nextLines(
      [
        [approve, "by somebody else than who asked"],
        [againOf(data), "then goes on"],
      ],
      paint,
    ),
  ];
}

function evidenceLines(data: ReleaseReport, name: string, paint: Paint): string[] {
  const from = data.not_before === null ? "" : `, from ${data.not_before} on`;
  return [
    paint.yellow(`${name} is at ${data.stage} and has not shown enough yet`),
    ...data.lacks.map((sentence) => `  - ${sentence}`),
    ...nextLines([[againOf(data), `goes on${from}`]], paint),
  ];
}
