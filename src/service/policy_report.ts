import type { z } from "zod";
import type { GatePolicy, ModelVersion } from "../agents/model_deployer/domain/entities.ts";
import {
  type AllowedFormats,
  allowedFormats,
  refusedFormats,
} from "../agents/model_deployer/domain/models/allowed_formats.ts";
import type { DeployerDatabase } from "../database/index.ts";
import type { policyReportSchema } from "./report_schemas.ts";

export type PolicyReport = z.infer<typeof policyReportSchema>;

/** A policy, with the versions on their way or at production whose formats it does not allow: what serves goes on. */
export async function policyReportOf(
  { modelVersions }: Pick<DeployerDatabase, "modelVersions">,
  experiment_id: string,
  gate_policy: GatePolicy,
): Promise<PolicyReport> {
  const allowed = allowedFormats(experiment_id, gate_policy);
  const versions = allowed === undefined ? [] : await modelVersions.list(experiment_id);
  const versions_in_other_formats = versions.flatMap((version) =>
    allowed === undefined ? [] : inOtherFormats(version, allowed),
  );
  return { experiment_id, gate_policy, versions_in_other_formats };
}

function inOtherFormats(
  { model_version_id, stage, loading }: ModelVersion,
  allowed: AllowedFormats,
): PolicyReport["versions_in_other_formats"] {
  if (stage === "archived") return [];
  if (loading === null) return [{ model_version_id, stage, formats: null }];
  const found = refusedFormats(loading, allowed, model_version_id);
  return found === null ? [] : [{ model_version_id, stage, formats: found.refused }];
}
