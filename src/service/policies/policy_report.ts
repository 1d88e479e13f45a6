import type { z } from "zod";
import type { ModelVersion } from "../../agents/model_deployer/domain/entities.ts";
import type { GatePolicy } from "../../agents/model_deployer/domain/models/gate_policy.ts";
import {
  type AllowedFormats,
  allowedFormats,
  refusedFormats,
} from "../../agents/model_deployer/domain/models/allowed_formats.ts";
import {
  type AllowedSigners,
  allowedSigners,
  refusedSigners,
} from "../../agents/model_deployer/domain/models/signers.ts";
import type { InstalledEngines } from "../../agents/model_deployer/domain/servers/engines.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import { onOtherEngines } from "./other_engines.ts";
import type { policyReportSchema } from "./policy_schemas.ts";

export type PolicyReport = z.infer<typeof policyReportSchema>;

/**
 * A policy, with the versions on their way or at production whose formats or signers it does not allow, and the
 * deployments that serve on another engine than it names: what serves goes on where it is.
 */
export async function policyReportOf(
  database: Pick<DeployerDatabase, "modelVersions" | "endpoints" | "deployments">,
  installed: InstalledEngines,
  experiment_id: string,
  gate_policy: GatePolicy,
): Promise<PolicyReport> {
  const allowed = allowedFormats(experiment_id, gate_policy);
  const signers = allowedSigners(experiment_id, gate_policy);
  const looksAtNone = allowed === undefined && signers === undefined;
  const versions = looksAtNone ? [] : await database.modelVersions.list(experiment_id);
  const versions_in_other_formats = versions.flatMap((version) =>
    allowed === undefined ? [] : inOtherFormats(version, allowed),
  );
  const versions_signed_by_others = versions.flatMap((version) =>
    signers === undefined ? [] : signedByOthers(version, signers),
  );
  const deployments_on_other_engines = await onOtherEngines(experiment_id, gate_policy, installed, database);
  return {
    ...{ experiment_id, gate_policy },
    ...{ versions_in_other_formats, versions_signed_by_others, deployments_on_other_engines },
  };
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

function signedByOthers(
  { model_version_id, stage, signed_by }: ModelVersion,
  signers: AllowedSigners,
): PolicyReport["versions_signed_by_others"] {
  if (stage === "archived") return [];
  if (signed_by === null) return [{ model_version_id, stage, signed_by: null }];
  const found = refusedSigners(signed_by, signers, model_version_id);
  return found === null ? [] : [{ model_version_id, stage, signed_by: found.refused }];
}
