import { installedEngines } from "./engines/installed_engines.ts";
import type { Configuration } from "./settings/configuration.ts";
import type { DeployerDatabase } from "../database/index.ts";
import { operatingUser } from "../platform/operating_user.ts";
import type { Origin } from "../agents/model_deployer/domain/access/roles.ts";
import { answerSeconds } from "../agents/model_deployer/ports/model_server_port.ts";
import type { Settings } from "../agents/model_deployer/ports/parts.ts";

const SLA_MARGIN_SECONDS = 4;

export function settingsOf(configuration: Configuration, requester: Requester): Settings {
  return {
    ...requester,
    lease_seconds: configuration.leaseSeconds,
    patience_seconds: 30 - SLA_MARGIN_SECONDS,
    retention_seconds: configuration.retentionSeconds,
    answer_seconds: answerSeconds(configuration.serving.predictionSeconds),
    approval_wait_seconds: configuration.approvalDays * 24 * 3600,
    long_work_seconds: longWorkSeconds(configuration),
    reconcile_seconds: configuration.reconcileSeconds,
    liveness: configuration.liveness,
    engines: installedEngines(configuration),
    default_effects: configuration.effects,
  };
}

/**
 * The longest that one operation may take: two artifacts fetched and two servers started in turn, and an hour for all
 * that has no setting.
 */
function longWorkSeconds({ limits }: Configuration): number {
  const { environmentSeconds, fetchSeconds, buildSeconds, startSeconds } = limits;
  return 3600 + environmentSeconds + 2 * fetchSeconds + buildSeconds + 2 * startSeconds;
}

type Requester = Pick<Settings, "requested_by"> & { origin: Origin };

/** The token's principal; without one, the deployer itself, at the hand of the operating system's user. */
export async function requester(
  { token }: Configuration,
  database: DeployerDatabase,
  via: Origin["via"] = "library",
): Promise<Requester> {
  const from = { via, ...operatingUser(), address: null };
  if (token === null) return { requested_by: "model_deployer", origin: { as: "session", ...from } };
  const { principal } = await database.principals.authenticate(token);
  return { requested_by: principal, origin: { as: "token", ...from } };
}
