import { AgentError } from "../../agents/base/agent_error.ts";

/** Exit codes for scripts; docs/cli.md has the table. */
export const exitCodes = {
  done: 0,
  unexpected: 1,
  usage: 2,
  refused: 3,
  approval_needed: 4,
  conflict: 5,
  unavailable: 6,
  in_progress: 7,
  failed: 8,
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const byErrorCode: Readonly<Record<string, ExitCode>> = {
  invalid_request: exitCodes.usage,
  invalid_deployment_action: exitCodes.usage,
  configuration: exitCodes.usage,
  invalid_promotion_path: exitCodes.refused,
  production_criteria_not_met: exitCodes.refused,
  stage_mismatch: exitCodes.refused,
  not_found: exitCodes.refused,
  invalid_approval: exitCodes.refused,
  not_authenticated: exitCodes.refused,
  not_permitted: exitCodes.refused,
  artifact_rejected: exitCodes.refused,
  engine_refused: exitCodes.refused,
  approval_required: exitCodes.approval_needed,
  conflict: exitCodes.conflict,
  idempotency_key_reused: exitCodes.conflict,
  service_unavailable: exitCodes.unavailable,
  service_refused: exitCodes.unavailable,
  disk_full: exitCodes.unavailable,
  memory_short: exitCodes.unavailable,
  deadline_exceeded: exitCodes.in_progress,
  endpoint_creation_failed: exitCodes.failed,
  server_not_ready: exitCodes.failed,
  rollback_failed: exitCodes.failed,
  interrupted: exitCodes.interrupted,
};

export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof AgentError)) return exitCodes.unexpected;
  return byErrorCode[error.code] ?? exitCodes.unexpected;
}
