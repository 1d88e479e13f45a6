import { endpointName } from "../../src/agents/model_deployer/domain/values/names.ts";
import { isRouted } from "../../src/agents/model_deployer/domain/traffic/weights.ts";
import { EXPERIMENT } from "../../src/testing/index.ts";
import { found, type Tally } from "./tally.ts";
import { wait, type Walker } from "./world.ts";

const HOUR = 3600;

/** Once all that was cut off has had its time, what counts as serving has a route, and what has ended has no server past its time. */
export async function checkLeftovers(walker: Walker, tally: Tally): Promise<void> {
  const copy = await walker.copy?.();
  if (copy === undefined) return;
  await wait(copy, HOUR);
  await wait(copy, 40 * 24 * HOUR);
  const running = await copy.server.list();
  const now = await copy.database.clock.now();
  for (const stage of ["staging", "production"] as const) {
    const name = endpointName(EXPERIMENT, stage);
    const endpoint = await copy.database.endpoints.get(name);
    if (endpoint === null) continue;
    const deployments = await copy.database.deployments.listForEndpoint(name);
    for (const { deployment_id: id, status, drain_due_at: due } of deployments) {
      if (isRouted(id, endpoint)) continue;
      if (status === "active")
        tally.broken_promises.push(found(tally, `${id} counts as serving, and nothing leads to it`));
      else if (running.includes(id) && due !== null && due <= now)
        tally.broken_promises.push(found(tally, `${id} is ${status}, and its server still runs`));
    }
  }
}
