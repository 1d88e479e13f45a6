import { withCaution, cautionOf, recentRollbacks } from "./caution.ts";
import { count } from "../../planning/wording/count.ts";
import type { DeployRequest } from "../../domain/requests.ts";
import { planRollout } from "../../domain/traffic/rollout_plan.ts";
import type { RolloutPlan } from "../../domain/traffic/rollout.ts";
import { allTo, serving, split } from "../../domain/traffic/weights.ts";
import type { DeployFacts } from "./facts.ts";
import type { PlannedTraffic } from "../../domain/traffic/planned_traffic.ts";

const unhurried = { rollout: null, asked_steps: [], at_once: null, care: null };

export function planTraffic(
  request: DeployRequest,
  facts: DeployFacts,
  id: string,
  now: string,
): PlannedTraffic {
  const endpoint = facts.endpoint;
  const weights = endpoint?.weights ?? {};
  const mirror = endpoint?.mirror_deployment_id ?? null;
  const current = serving(weights);
  const gone = (ids: (string | null)[], keepWarmSeconds: number) =>
    ids
      .filter((one) => one !== null)
      .map((one) => ({ deployment_id: one, keep_warm_seconds: keepWarmSeconds }));
  if (request.target_stage === "staging") {
    const replaced = gone(unique([...current, ...leftAt("staging", facts)]), 0);
    return { ...unhurried, weights: allTo(id), mirror: null, replaced, baseline: null };
  }
  if (request.target_stage === "shadow") {
    const replaced = gone(unique([mirror, ...leftAt("shadow", facts)]), 0);
    return { ...unhurried, weights, mirror: id, replaced, baseline: null };
  }
  const ownShadow = facts.deployments.find(
    (one) => one.deployment_id === mirror && one.model_version_id === request.model_version_id,
  );
  const shadowEnds = gone([ownShadow?.deployment_id ?? null], 0);
  const mirrorAfter = ownShadow === undefined ? mirror : null;
  const baseline = current[0] ?? null;
  if (baseline === null) {
    return { ...unhurried, weights: allTo(id), mirror: mirrorAfter, replaced: shadowEnds, baseline };
  }
  return planReplacement(request, facts, { id, baseline, shadowEnds, mirror: mirrorAfter, now });
}

const unique = <T>(ids: T[]): T[] => [...new Set(ids)];

/** Those that a deployment would have replaced which was cut off after its route, and overtaken. */
const leftAt = (stage: "staging" | "shadow", { deployments }: DeployFacts): string[] =>
  deployments
    .filter(({ target_stage, status }) => target_stage === stage && status === "active")
    .map(({ deployment_id: id }) => id);

type Replaced = PlannedTraffic["replaced"];

function planReplacement(
  request: DeployRequest,
  facts: DeployFacts,
  by: { id: string; baseline: string; shadowEnds: Replaced; mirror: string | null; now: string },
): PlannedTraffic {
  const { id, baseline, shadowEnds, mirror, now } = by;
  const asked = planRollout(request.rollout, facts.policy.judge);
  const recent = recentRollbacks(facts.deployments, now, facts.aborted).length;
  const caution = cautionOf(facts.experience, recent);
  const rollout = withCaution(asked, caution);
  const firstWeight = rollout.steps[0]?.weight ?? 100;
  const same = { mirror, baseline, asked_steps: asked.steps };
  if (firstWeight === 100) {
    const replaced = [...shadowEnds, { deployment_id: baseline, keep_warm_seconds: facts.retention_seconds }];
    return { ...unhurried, ...same, weights: allTo(id), replaced, at_once: rollout };
  }
  return {
    ...same,
    weights: split(baseline, id, firstWeight),
    replaced: shadowEnds,
    rollout,
    at_once: null,
    care: rollout === asked ? null : describeCare(asked, rollout, facts, { recent, caution }),
  };
}

function describeCare(
  asked: RolloutPlan,
  rollout: RolloutPlan,
  { experience, version }: DeployFacts,
  { recent, caution }: { recent: number; caution: number },
): string | null {
  const [askedWeight, weight] = [asked, rollout].map(({ steps }) => steps[0]?.weight);
  const isLonger = rollout.steps.some(
    (step, index) => step.bake_seconds !== asked.steps[index]?.bake_seconds,
  );
  const changes = [
    ...(weight === askedWeight ? [] : [`the first step is ${weight} % instead of ${askedWeight} %`]),
    ...(isLonger ? [`each bake is ${1 + caution} times as long`] : []),
  ];
  if (changes.length === 0) return null;
  const remembered =
    experience === null
      ? ""
      : `${version?.model_name ?? "its model family"} was rolled back ${count(experience.rollbacks, "time")} and completed ${count(experience.completed_rollouts, "rollout")}, `;
  return `${remembered}${count(recent, "rollback")} here within the hour: ${changes.join(", and ")}.`;
}
