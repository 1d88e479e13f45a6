import { elsewhere } from "../../../agents/model_deployer/domain/servers/engines.ts";
import type { DeploymentManifest, VersionRecord } from "../../../agents/model_deployer/domain/answer.ts";
import { barLine } from "../terminal/bars.ts";
import type { ApplyReport } from "../../../service/report_schemas.ts";
import { nextLines } from "../next_lines.ts";
import type { Paint } from "../terminal/terminal.ts";

export function applyLines(data: ApplyReport, paint: Paint, columns: number): string[] {
  if (data.status === "declined") return ["Nothing was changed."];
  const took = `in ${data.seconds.toFixed(1)} s`;
  const head =
    data.status === "in_progress"
      ? paint.yellow(`in progress: a worker carries operation ${data.operation_id ?? ""} on`)
      : paint.green(`done ${took}`) + paint.dim(`  ${data.operation_id ?? ""}`);
  const { version_record: record, deployment_manifest: manifest } = data;
  return [
    head,
    ...(data.rollback_successful === true ? [`  back on ${data.active_deployment_id ?? ""}`] : []),
    ...(record === null ? [] : recordLines(record)),
    ...(manifest === null ? [] : manifestLines(manifest, paint, columns)),
    ...data.warnings.map((warning) => paint.dim(`  note: ${warning}`)),
    ...data.degraded.map((part) => paint.yellow(`  degraded: ${part}`)),
    ...(record === null || manifest !== null ? [] : nextLines(nextSteps(record), paint)),
  ];
}

/** A version that has moved is served by no move alone. */
function nextSteps({
  model_version_id: id,
  previous_stage,
  current_stage: stage,
}: VersionRecord): [string, string][] {
  if (stage === "development")
    return [[`model-deployer apply promote ${id} staging`, "the stage after this"]];
  if (stage === "archived" || stage === previous_stage) return [];
  return [[`model-deployer apply deploy ${id} ${stage}`, "serves it there"]];
}

function recordLines(record: VersionRecord): string[] {
  const { model_name, version, previous_stage, current_stage, model_version_id } = record;
  const moved = previous_stage === current_stage ? current_stage : `${previous_stage} → ${current_stage}`;
  return [`  ${model_name} version ${version}: ${moved}`, `  ${model_version_id}, by ${record.promoted_by}`];
}

function manifestLines(manifest: DeploymentManifest, paint: Paint, columns: number): string[] {
  const { rollout, traffic } = manifest;
  const steps = rollout?.steps.map((step) => `${step.weight} %`).join(" → ");
  return [
    `  ${manifest.bento_tag} at ${manifest.target_stage}: ${manifest.status}${elsewhere(manifest.engine)}`,
    `  ${manifest.deployment_id}`,
    `  ${manifest.endpoint_url}/predict`,
    ...traffic.weights.map(
      ({ deployment_id, weight }) => `  ${barLine(weight, deployment_id, paint, { columns })}`,
    ),
    ...(traffic.mirror_deployment_id === null ? [] : [`  mirrored to ${traffic.mirror_deployment_id}`]),
    ...(rollout === null
      ? []
      : [
          `  ${rollout.rollout_id}: ${rollout.status}, step ${rollout.step_index + 1} of ${rollout.steps.length}: ${steps ?? ""}`,
        ]),
  ];
}
