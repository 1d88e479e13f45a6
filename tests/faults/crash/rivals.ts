import { ENDPOINT, type GivenDeployer } from "../../support/deployer.ts";
import { FAIR } from "./other_callers.ts";
import type { Deed } from "./children/protocol.ts";
import { ask } from "./scenario.ts";
import { looksAreDue } from "./scenarios/given.ts";

/** The newest that has served and has no traffic now, and is not what the dead process brings back. */
const OTHER_WAY = `
  select d.deployment_id from ml_deployments d join ml_endpoints e using (endpoint_name)
  where d.endpoint_name = $1 and d.target_stage = 'production' and d.activated_at is not null
    and coalesce((e.weights ->> d.deployment_id)::int, 0) = 0 and d.deployment_id <> $2
  order by d.deployed_at desc limit 1`;

/**
 * Another operator goes back to something else, and a worker finds looks due and servers to stop, while the dead one's lease
 * still holds.
 * @returns what should not have happened
 */
export async function callRivals(given: GivenDeployer, deed: Deed): Promise<string[]> {
  const to = deed.does === "request" ? String(deed.request["rollback_to"]) : "";
  const [other] = await given.world.sql(OTHER_WAY, [ENDPOINT, to]);
  const isOpen = await given.router.observe(ENDPOINT, { signal: AbortSignal.timeout(10_000) });
  if (isOpen !== null) given.router.sendTraffic(ENDPOINT, 100);
  await looksAreDue(given);
  const { error } = await ask(given, {
    deployment_action: "rollback",
    endpoint_name: ENDPOINT,
    ...(other === undefined
      ? {}
      : { rollback_to: String(other["deployment_id"]), condemned_because: "it was not its fault" }),
    rollback_reason: "another operator sees nonsense",
  });
  await looksAreDue(given);
  await given.worker.tick();
  return error === null || FAIR.includes(error) ? [] : [`a rival is told ${error}`];
}

/** Whoever has won: after a way back there is one deployment with all traffic. */
export async function servesWhole({ db }: GivenDeployer, deed: Deed): Promise<string[]> {
  if (deed.does !== "request" || deed.request["deployment_action"] !== "rollback") return [];
  const weights = (await db.endpoints.get(ENDPOINT))?.weights ?? {};
  const shares = Object.values(weights).filter((share) => share > 0);
  return shares.length === 1 && shares[0] === 100
    ? []
    : [`one deployment should serve all traffic, but it is ${JSON.stringify(weights)}`];
}
