import { approvalsByMove } from "../../../agents/model_deployer/planning/approval/approvals_needed.ts";
import { policyText } from "../../../agents/model_deployer/domain/models/known_vulnerabilities.ts";
import { signersText } from "../../../agents/model_deployer/domain/models/signers.ts";
import type { GatePolicy } from "../../../agents/model_deployer/domain/models/gate_policy.ts";
import { ENDPOINT_STAGES } from "../../../agents/model_deployer/domain/servers/engines.ts";
import { defaultJudgeSettings } from "../../../agents/model_deployer/domain/traffic/rollout_plan.ts";
import { policyReportSchema } from "../../../service/policies/policy_schemas.ts";
import type { PolicyReport } from "../../../service/policies/policy_report.ts";
import type { Paint } from "../../output/terminal/terminal.ts";
import { report, type Report } from "../../invocation/command_report.ts";

export function policyReport(found: PolicyReport): Report {
  return report(policyReportSchema, found, (data, paint) => [
    paint.bold(data.experiment_id),
    ...policyLines(data.gate_policy, paint),
    ...data.versions_in_other_formats.map((one) => paint.yellow(`  ${otherFormats(one)}`)),
    ...data.versions_signed_by_others.map((one) => paint.yellow(`  ${otherSigners(one)}`)),
    ...data.deployments_on_other_engines.map((one) => paint.yellow(`  ${otherEngine(one)}`)),
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

function otherSigners({
  model_version_id,
  stage,
  signed_by,
}: PolicyReport["versions_signed_by_others"][number]): string {
  if (signed_by === null)
    return `${model_version_id} (${stage}): its signature was not verified; it is before it is deployed anew.`;
  return `${model_version_id} (${stage}) was signed by ${signed_by.join(", ")}: it is not deployed anew; where it serves, it goes on and comes back.`;
}

function otherEngine({
  deployment_id,
  target_stage,
  engine,
}: PolicyReport["deployments_on_other_engines"][number]): string {
  return `${deployment_id} (${target_stage}) serves on ${engine} and stays there; the next deployment is made where the policy says.`;
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
    signers,
    engines,
    vulnerabilities,
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
      ["known vulnerabilities", vulnerabilities === null ? "any" : policyText(vulnerabilities)],
      ["signed by", signers === null ? "nobody has to" : signersText(signers)],
      ...ENDPOINT_STAGES.map((stage) => [
        `engine: ${stage}`,
        engines[stage] ?? "the installation's usual one",
      ]),
      ["kept_rows", JSON.stringify(kept_rows)],
      ...approvals,
      ...judged,
    ].map(([name, value]) => `  ${String(name).padEnd(32)} ${value}`),
  ];
}
