import type { NewGatePolicy } from "../../agents/model_deployer/domain/models/gate_policy.ts";
import type { PolicyReport } from "../../service/policies/policy_report.ts";
import { policyReportSchema } from "../../service/policies/policy_schemas.ts";
import type { RemoteApi } from "./remote_api.ts";

const at = (experiment: string) => `/v1/experiments/${encodeURIComponent(experiment)}/policy`;

export async function remotePolicy(api: RemoteApi, experiment: string): Promise<PolicyReport> {
  return api.ask(policyReportSchema, at(experiment));
}

/** The database refuses a demo policy where it is no demo. @throws InvalidRequestError */
export async function setRemotePolicy(
  api: RemoteApi,
  experiment: string,
  change: (before: NewGatePolicy) => Promise<NewGatePolicy>,
): Promise<PolicyReport> {
  const { policy_id: _, ...before } = (await remotePolicy(api, experiment)).gate_policy;
  const body = await change(before);
  return api.ask(policyReportSchema, at(experiment), { method: "PUT", body });
}
