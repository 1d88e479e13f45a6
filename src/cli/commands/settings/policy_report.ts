import { approvalsByMove } from "../../../agents/model_deployer/planning/approval/approvals_needed.ts";
import type { GatePolicy } from "../../../agents/model_deployer/domain/entities.ts";
import { defaultJudgeSettings } from "../../../agents/model_deployer/domain/traffic/rollout_plan.ts";
import { policyReportSchema } from "../../../service/report_schemas.ts";
import type { PolicyReport } from "../../../service/policy_report.ts";
import type { Paint } from "../../output/terminal/terminal.ts";
import { report, type Report } from "../../invocation/command_report.ts";

export function policyReport(found: PolicyReport): Report {
  return report(policyReportSchema, found, (data, paint) => [
    paint.bold(data.experiment_id),
    ...policyLines(data.gate_policy, paint),
    ...data.versions_in_other_formats.map((one) => paint.yellow(`  ${otherFormats(one)}`)),
  ]);
}

function otherFormats({
  model_version_id,
  stage,
  formats,
}: PolicyReport["versions_in_other_formats"][number]): string {
  if (formats === null)
    return `${model_version_id} (${stage}): its formats were not read; they are before it is deployed anew.`;
  return `${model_version_id} (${stage}) is saved as ${formats.join(", ")}: it is not deployed anew; where it serves, it goes on and comes back.`;
}

export function policyLines(policy: GatePolicy, paint: Paint): string[] {
  const {
    policy_id,
    kind,
    reason,
    approvals_for_production: _,
    approvals_by_move: _moves,
    judge,
    kept_rows,
    formats,
    ...rules
  } = policy;
  const approvals = approvalsByMove(policy).map(([move, needed]) => [`approvals: ${move}`, needed]);
  const allowed = formats === null ? "as the installation allows" : formats.join(", ");
  const judged = Object.entries({ ...defaultJudgeSettings, ...judge }).map(([name, value]) => [
    `judge: ${name}`,
    typeof value === "object" ? JSON.stringify(value) : value,
  ]);
  return [
    `  gate policy ${policy_id}${kind === "demo" ? paint.yellow(" (demo)") : ""}: ${reason}`,
    ...[
      ...Object.entries(rules),
      ["formats", allowed],
      ["kept_rows", JSON.stringify(kept_rows)],
      ...approvals,
      ...judged,
    ].map(([name, value]) => `  ${String(name).padEnd(32)} ${value}`),
  ];
}
