import {
  act,
  createTestDeployer,
  deployAtOnce,
  ENDPOINT,
  inProduction,
  promoteWithApproval,
  readyForProduction,
  type Request,
  type TestDeployer,
} from "../../src/testing/index.ts";

export interface Served {
  version: string;
  deployment: string;
}

const nothing: Served = { version: "", deployment: "" };

/** Each of these runs' versions served all traffic once, the last one does now. */
export async function givenServed(
  ...runs: string[]
): Promise<{ given: TestDeployer; first: Served; second: Served; third: Served }> {
  const given = await createTestDeployer();
  const served: Served[] = [];
  for (const run of runs) served.push(await serveNext(given, run, served.length === 0));
  const [first = nothing, second = nothing, third = nothing] = served;
  return { given, first, second, third };
}

async function serveNext(given: TestDeployer, run: string, isFirst: boolean): Promise<Served> {
  if (isFirst) return inProduction(given, run);
  const version = await readyForProduction(given, run);
  await promoteWithApproval(given, version);
  return { version, deployment: (await deployAtOnce(given, version)).deployment_id };
}

/** By the endpoint's name, unless the request names more. */
export const rollBack = (given: TestDeployer, request: Request = {}) =>
  act(given, "rollback", { endpoint_name: ENDPOINT, rollback_reason: "callers get nonsense", ...request });

export const weightsOf = async ({ database }: Pick<TestDeployer, "database">) =>
  (await database.endpoints.get(ENDPOINT))?.weights;
