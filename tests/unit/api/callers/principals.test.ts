import { expect, test } from "vitest";
import { registerState } from "../../../../src/testing/index.ts";
import { principalReportSchema } from "../../../../src/service/people/principal_schemas.ts";
import { givenApi } from "../../../support/given/given_api.ts";
const EVAS_TOKEN = "eva-has-a-long-secret";

test("a token that is revoked opens nothing from then on", async () => {
  const { deployer, ask, problem } = await givenApi();
  const { principalAdministration: administration } = deployer.database;
  const [ana] = await administration.list("ana");
  expect((await ask("/v1/endpoints")).status).toBe(200);
  await administration.revokeToken(ana?.tokens[0]?.token_id ?? "", { who: "eva", origin: null });
  expect(await problem("/v1/endpoints")).toMatchObject({ status: 401, code: "not_authenticated" });
});

test("an administrator enrols somebody through the API, who can ask from then on", async () => {
  const { deployer, ask } = await givenApi();
  await deployer.database.principals.enrol("eva", EVAS_TOKEN, { roles: ["administrator"] });
  const asEva = { token: EVAS_TOKEN };
  const body = { principal: "kim", roles: ["viewer"], expires_in_days: 7 };
  const enrolled = await ask("/v1/principals", { ...asEva, body });
  expect(enrolled.status).toBe(201);
  const { token } = principalReportSchema.parse(await enrolled.json());
  expect((await ask("/v1/endpoints", { token })).status).toBe(200);
  expect((await ask("/v1/actions", { token, body: registerState() })).status).toBe(403);
  const listed = await (await ask("/v1/principals?principal=KIM", asEva)).json();
  expect(listed).toMatchObject({ principals: [{ principal: "kim", enrolled_by: "eva" }] });
  expect(JSON.stringify(listed)).not.toContain(token);
});

test("nobody has a name that whoever reads the history takes for the deployer's, or none", async () => {
  const { deployer, ask, problem } = await givenApi();
  await deployer.database.principals.enrol("eva", EVAS_TOKEN, { roles: ["administrator"] });
  const enrol = (principal: string) => ({ token: EVAS_TOKEN, body: { principal, roles: ["viewer"] } });
  for (const name of ["the judge", "The  Judge", "a worker", "Model Deployer", "operator", "example", " "]) {
    const refused = await problem("/v1/principals", enrol(name));
    expect(refused, name).toMatchObject({ status: 400, code: "invalid_request", retryable: false });
    expect(refused.detail, name).toMatch(/own name|is empty/);
  }
  expect((await ask("/v1/principals", enrol("judge judy"))).status).toBe(201);
});
