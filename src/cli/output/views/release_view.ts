import { nextLines } from "../next_lines.ts";
import type { ReleaseReport } from "../start_schemas.ts";
import type { Paint } from "../terminal/terminal.ts";

const tokenOf = ({ approver_token_file: file }: ReleaseReport): string =>
  file === null ? "" : `--token-file ${file} `;

const CONSOLE = ["model-deployer console", "shows it too, with a roll back two clicks away"] as const;

export function releaseLines(data: ReleaseReport, paint: Paint): string[] {
  const name = `${data.model_name} version ${data.version}`;
  const steps = data.steps === null ? "" : ` --steps ${data.steps}`;
  const again = `model-deployer release ${data.experiment_id} ${data.mlflow_run_id}${steps}`;
  const watch = `model-deployer status ${data.endpoint_name ?? ""} --watch`;
  switch (data.status) {
    case "in_production":
      return [
        paint.green(`${name} is in production`),
        ...(data.endpoint_url === null ? [] : [`  ${data.endpoint_url}/predict`]),
        ...nextLines(
          [
            [watch, "traffic, figures and verdicts"],
            [`model-deployer rollback ${data.endpoint_name ?? ""} --reason "..."`, "takes it back"],
          ],
          paint,
        ),
      ];
    case "in_rollout":
      return [
        paint.green(`${name} takes traffic step by step`),
        ...nextLines([[watch, "how it goes; a worker takes its steps"], CONSOLE], paint),
      ];
    case "waits_for_approval":
      return [
        paint.yellow(`${name} has met what production asks for, and waits for an approval`),
        ...nextLines(
          [
            [
              `model-deployer ${tokenOf(data)}approve ${data.operation_id ?? ""} --reason "..."`,
              "by somebody else than who asked",
            ],
            [again, "then goes on"],
          ],
          paint,
        ),
      ];
    case "waits_for_evidence":
      return [
        paint.yellow(`${name} is at ${data.stage} and has not shown enough yet`),
        ...data.lacks.map((sentence) => `  - ${sentence}`),
        ...nextLines(
          [[again, data.not_before === null ? "goes on" : `goes on, from ${data.not_before} on`]],
          paint,
        ),
      ];
  }
}
