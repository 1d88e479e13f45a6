import type { Deployment, ModelVersion } from "../../domain/entities.ts";
import type { Plan } from "../../domain/plan.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";

type NamedDeployment = Pick<Deployment, "deployment_id" | "bento_tag" | "target_stage">;

interface Named {
  deployments?: (NamedDeployment | null)[];
  versions?: (ModelVersion | null)[];
  /** A rollout is called by its candidate. */
  rollouts?: (Pick<Rollout, "rollout_id" | "deployment_id"> | null)[];
}

/**
 * Readable names of the things that a plan moves, by id: `e2i_remission v3`. A shadow of a version that is deployed
 * beside it is marked as such, and others with equal names keep their ids.
 */
export function namesOf({ deployments = [], versions = [], rollouts = [] }: Named): Plan["names"] {
  const known = deployments.filter((one) => one !== null);
  const kindOf = ({ bento_tag, target_stage }: NamedDeployment) =>
    `${bento_tag} ${target_stage === "shadow"}`;
  const isAlone = (one: NamedDeployment, same: (other: NamedDeployment) => string) =>
    known.filter((other) => same(other) === same(one)).length === 1;
  const called = (one: NamedDeployment): string => {
    const version = one.bento_tag.replace(/:(?=[^:]*$)/, " ");
    if (isAlone(one, ({ bento_tag }) => bento_tag)) return version;
    if (!isAlone(one, kindOf)) return `${version} (${one.deployment_id})`;
    return one.target_stage === "shadow" ? `${version} (shadow)` : version;
  };
  const byId = Object.fromEntries(known.map((one) => [one.deployment_id, called(one)]));
  return {
    ...byId,
    ...Object.fromEntries(
      versions
        .filter((one) => one !== null)
        .map((one) => [one.model_version_id, `${one.model_name} v${one.version}`]),
    ),
    ...Object.fromEntries(
      rollouts
        .filter((one) => one !== null)
        .map(({ rollout_id: id, deployment_id: candidate }) => [id, byId[candidate] ?? id]),
    ),
  };
}
