import { waitsFor } from "../../domain/servers/server_restarts.ts";
import type { PlannedStep } from "../../domain/plan.ts";
import { count } from "../../planning/wording/count.ts";
import { planned } from "../../planning/decisions.ts";
import { packageOf, resourcesOf, startAgainOf } from "../../planning/planned_deployment.ts";
import type { WantedServer } from "../facts.ts";
import type { Drift } from "../replica_drifts.ts";

/** The drift between a deployment's servers and the number that autoscaling asks for. */
export function scaledServer({ deployment, scale, restarts }: WantedServer): Drift[] {
  if (scale === null) return [];
  const { deployment_id, replicas, autoscaling } = deployment;
  const found = `${count(replicas, "server")} at ${scale.percent} % CPU of ${autoscaling.target_cpu} %`;
  const wanted = count(scale.replicas, "server");
  return [{ part: "servers", subject: deployment_id, found, wanted, left: waitsFor(restarts) }];
}

/** One that is not well is repaired before its number changes. */
export function isScaled(server: WantedServer, unwell: readonly WantedServer[]): boolean {
  return server.scale !== null && waitsFor(server.restarts) === null && !unwell.includes(server);
}

/** The servers first; the row says so as soon as they are there. */
export function scaleSteps({ deployment, version, scale }: WantedServer): PlannedStep[] {
  if (scale === null) return [];
  const { deployment_id, bento_tag } = deployment;
  const expected = resourcesOf(deployment);
  const resources = { ...expected, replicas: scale.replicas };
  return [
    planned({ ...packageOf(version), bento_tag }),
    planned(startAgainOf({ ...deployment, replicas: scale.replicas }), {
      then: [{ change: "set_resources", deployment_id, expected, resources }],
    }),
  ];
}
