import { ENDPOINT, type GivenDeployer } from "../../support/deployer.ts";
import type { Deed } from "./children/protocol.ts";
import { FAIR } from "./other_callers.ts";
import { ask } from "./scenario.ts";
import { approveWhatWaits, looksAreDue } from "./scenarios/given.ts";

/** Whoever wants something else between a death and its resumption: while the dead one's lease holds, and again after it. */
export interface Rivals {
  /** @returns what should not have happened */
  call(given: GivenDeployer, deed: Deed): Promise<string[]>;
  /** Once all have come to their end. @returns what is unlike it should be, whoever has won */
  unlike(given: GivenDeployer, deed: Deed): Promise<string[]>;
}

/** The newest that has served and has no traffic now, and is not what the dead process brings back. */
const OTHER_WAY = `
  select d.deployment_id from ml_deployments d join ml_endpoints e using (endpoint_name)
  where d.endpoint_name = $1 and d.target_stage = 'production' and d.activated_at is not null
    and coalesce((e.weights ->> d.deployment_id)::int, 0) = 0 and d.deployment_id <> $2
  order by d.deployed_at desc limit 1`;

/** Another operator goes back to something else, and a worker finds looks due and servers to stop. */
export const goBackElsewhere: Rivals = {
  async call(given, deed) {
    const to = deed.does === "request" ? String(deed.request["rollback_to"]) : "";
    const [other] = await given.world.sql(OTHER_WAY, [ENDPOINT, to]);
    return amongLooks(given, {
      deployment_action: "rollback",
      endpoint_name: ENDPOINT,
      ...(other === undefined
        ? {}
        : { rollback_to: String(other["deployment_id"]), condemned_because: "it was not its fault" }),
      rollback_reason: "another operator sees nonsense",
    });
  },
  async unlike({ db }, deed) {
    if (deed.does !== "request" || deed.request["deployment_action"] !== "rollback") return [];
    const weights = (await db.endpoints.get(ENDPOINT))?.weights ?? {};
    const shares = Object.values(weights).filter((share) => share > 0);
    return shares.length === 1 && shares[0] === 100
      ? []
      : [`one deployment should serve all traffic, but it is ${JSON.stringify(weights)}`];
  },
};

const OTHER_VERSION = `
  select model_version_id from ml_model_registry where stage::text = $1 and model_version_id <> $2
  order by version desc limit 1`;

const SERVED_AT = `select deployment_id as id from ml_deployments where target_stage::text = $1 and status = 'active'`;

/** Another operator deploys another version at the same stage; the one for production has to be promoted first. */
export const overtake: Rivals = {
  async call(given, deed) {
    const { version, stage } = targetOf(deed);
    const from = stage === "production" ? "shadow" : stage;
    const [other] = await given.world.sql(OTHER_VERSION, [from, version]);
    const overtaking = { model_version_id: String(other?.["model_version_id"]), target_stage: stage };
    if (stage !== "production")
      return amongLooks(given, { ...overtaking, deployment_action: "deploy", replicas: 1 });
    const promoting = { ...overtaking, deployment_action: "promote", request_id: "of-another-operator" };
    await ask(given, promoting);
    await approveWhatWaits(given);
    return [
      ...(await amongLooks(given, promoting)),
      ...(await amongLooks(given, { ...overtaking, deployment_action: "deploy", rollout: "immediate" })),
    ];
  },
  async unlike(given, deed) {
    const { stage } = targetOf(deed);
    const active = await given.world.sql(SERVED_AT, [stage]);
    return active.length === 1
      ? []
      : [`one deployment should serve ${stage}, but they are ${JSON.stringify(active)}`];
  },
};

function targetOf(deed: Deed): { version: string; stage: string } {
  if (deed.does !== "request") throw new TypeError("only a deployment is overtaken");
  const { model_version_id: version, target_stage: stage } = deed.request;
  return { version: String(version), stage: String(stage) };
}

const LEASES_END = "update ml_leases set expires_at = clock_timestamp() where not released";

/** What a rival wants, between two moments at which everything is looked at. */
async function amongLooks(given: GivenDeployer, request: Record<string, unknown>): Promise<string[]> {
  const isOpen = await given.router.observe(ENDPOINT, { signal: AbortSignal.timeout(10_000) });
  if (isOpen !== null) given.router.sendTraffic(ENDPOINT, 100);
  await looksAreDue(given);
  let { error } = await ask(given, request);
  if (error === "conflict") {
    await given.world.sql(LEASES_END);
    ({ error } = await ask(given, request));
  }
  await looksAreDue(given);
  await given.worker.tick();
  return error === null || FAIR.includes(error) ? [] : [`a rival is told ${error}`];
}
