import { carefully, cautionOf, type Experience, recentRollbacks } from "./caution.ts";
import { count } from "./count.ts";
import type { Deployment, Endpoint, GatePolicy, ModelVersion, WeightSet } from "./entities.ts";
import type { DeployRequest } from "./requests.ts";
import type { Rollout, RolloutStep, VersionFigures } from "./rollout.ts";
import { planRollout, type RolloutPlan } from "./rollout_plan.ts";
import { allTo, serving, split } from "./weights.ts";

export interface DeployFacts {
  version: ModelVersion | null;
  /** The endpoint that the target stage is served at; null until its first deployment. */
  endpoint: Endpoint | null;
  /** Deployments of that endpoint, newest first. */
  deployments: Deployment[];
  /** Those of them, within the last hour, whose rollout was aborted or superseded. */
  aborted: string[];
  /** Those of them that ended, and whose servers answer all the same. */
  still_warm: string[];
  open_rollout: Rollout | null;
  /** What the endpoint's deployments have answered so far; null when the router gave no answer. */
  figures: VersionFigures[] | null;
  policy: GatePolicy;
  /** Of the version's model family; null when the memory gave no answer. */
  experience: Experience | null;
  /** How long a replaced production deployment stays warm. */
  retention_seconds: number;
}

/** What the new deployment replaces and how traffic is to be when the action ends. */
export interface PlannedTraffic {
  weights: WeightSet;
  mirror: string | null;
  /** Deployments that end with this one. */
  replaced: { deployment_id: string; keep_warm_seconds: number }[];
  baseline: string | null;
  /** In steps, of which the first is less than all; null otherwise. */
  rollout: RolloutPlan | null;
  /** The steps as they were asked for; empty where nothing is rolled out. */
  asked_steps: RolloutStep[];
  /** The only step of one that takes the baseline's place at once; null otherwise. */
  at_once: RolloutPlan | null;
  /** Why the rollout is more careful than asked for, and by how much; null when it is not. */
  care: string | null;
}

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
    return { ...unhurried, weights: allTo(id), mirror: null, replaced: gone(current, 0), baseline: null };
  }
  if (request.target_stage === "shadow") {
    return { ...unhurried, weights, mirror: id, replaced: gone([mirror], 0), baseline: null };
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

type Replaced = PlannedTraffic["replaced"];

function planReplacement(
  request: DeployRequest,
  facts: DeployFacts,
  by: { id: string; baseline: string; shadowEnds: Replaced; mirror: string | null; now: string },
): PlannedTraffic {
  const { id, baseline, shadowEnds, mirror, now } = by;
  const asked = planRollout(request.rollout);
  const recent = recentRollbacks(facts.deployments, now, facts.aborted).length;
  const caution = cautionOf(facts.experience, recent);
  const rollout = carefully(asked, caution);
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
