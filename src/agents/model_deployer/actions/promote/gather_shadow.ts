import { AgentError } from "../../../base/agent_error.ts";
import type { Deployment, Endpoint, ModelVersion, ShadowEvidence } from "../../domain/entities.ts";
import type { Decision } from "../../domain/plan.ts";
import type { EndpointManager } from "../../effects/endpoint_manager.ts";
import type { PlanOptions } from "../planner.ts";
import type { Database } from "../../ports/parts.ts";

interface Gathered {
  evidence: ShadowEvidence | null;
  notes: string[];
  /** The error of a collection that failed, so that only earlier evidence counts; null after a collection. */
  failure: AgentError | null;
}

/** Criteria that newer evidence could meet; that there is a shadow, and for how long, is known without it. */
const CRITERIA_OF_EVIDENCE = [
  "shadow_requests",
  "shadow_bound",
  "shadow_worse_by",
  "shadow_error_rate",
  "shadow_p99_ms",
  "shadow_disagreement",
  "shadow_outcomes",
  "shadow_worse_by_outcomes",
];

/**
 * Raises instead of refusing where the missing evidence might have met the criterion.
 * @throws AgentError `failure`, when newer evidence might decide otherwise
 */
export function requireEvidence(decision: Decision, failure: AgentError | null): void {
  if (failure === null || decision.decision === "plan") return;
  const { code, unmet } = decision.refusal;
  const mightBeMet = unmet.every(({ criterion }) => CRITERIA_OF_EVIDENCE.includes(criterion));
  if (code === "production_criteria_not_met" && mightBeMet) throw failure;
}

/** Evidence counts only while the router mirrors to this version's own active shadow; a dry run stores none of it. */
export async function gatherShadow(
  database: Database,
  endpoints: EndpointManager,
  version: ModelVersion,
  endpoint: Endpoint | null,
  options: PlanOptions,
): Promise<Gathered> {
  const mirror = endpoint?.mirror_deployment_id ?? null;
  const shadow = mirror === null ? null : await database.deployments.get(mirror);
  const isOwn = shadow?.model_version_id === version.model_version_id && shadow.status === "active";
  if (endpoint === null || !isOwn) return { evidence: null, notes: [], failure: null };
  try {
    const evidence =
      options.read_only === true
        ? await preview(database, endpoints, endpoint, shadow, options)
        : await endpoints.collectShadowEvidence(endpoint, options);
    return {
      evidence: await compared(database, evidence ?? (await nothingYet(database, shadow))),
      notes: [],
      failure: null,
    };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const note = `degraded: no new evidence could be collected, so what was collected before counts: ${error.message}`;
    const stored = await database.shadowEvidence.read(shadow.deployment_id);
    return {
      evidence: await compared(database, stored ?? (await nothingYet(database, shadow))),
      notes: [note],
      failure: error,
    };
  }
}

async function compared(database: Database, evidence: ShadowEvidence): Promise<ShadowEvidence> {
  const { deployment_id } = evidence;
  const [comparison, outcomes] = await Promise.all([
    database.shadowComparisons.read(deployment_id),
    database.outcomes.read(deployment_id),
  ]);
  return { ...evidence, comparison, outcomes };
}

/**
 * The evidence that a collection would give, without storing it. After a restart of the router's counters it shows less
 * than a collection, never more.
 */
async function preview(
  database: Database,
  endpoints: EndpointManager,
  endpoint: Endpoint,
  shadow: Deployment,
  options: PlanOptions,
): Promise<ShadowEvidence | null> {
  const figures = await endpoints.figures(endpoint.endpoint_name, options);
  const own = figures.find((entry) => entry.deployment_id === shadow.deployment_id);
  const stored = await database.shadowEvidence.read(shadow.deployment_id, own?.epoch);
  if (own === undefined) return stored;
  const known = stored ?? (await nothingYet(database, shadow));
  return {
    ...known,
    requests: Math.max(known.requests, own.requests),
    errors: Math.max(known.errors, own.errors),
    p99_ms: own.p99_ms === null ? known.p99_ms : Math.max(known.p99_ms ?? 0, own.p99_ms),
  };
}

/** A shadow's hours count from its activation, even before it has answered anything. */
async function nothingYet(database: Database, shadow: Deployment): Promise<ShadowEvidence> {
  const now = await database.clock.now();
  const active = shadow.activated_at === null ? 0 : Date.parse(now) - Date.parse(shadow.activated_at);
  return {
    deployment_id: shadow.deployment_id,
    hours: Math.max(0, active / 3_600_000),
    requests: 0,
    errors: 0,
    production_errors: 0,
    p99_ms: null,
    collected_at: now,
    comparison: null,
    outcomes: null,
  };
}
