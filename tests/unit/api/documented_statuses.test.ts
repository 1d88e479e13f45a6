import { expect, test } from "vitest";
import { z } from "zod";
import { ROUTES } from "../../../src/api/api.ts";
import { registerState } from "../../../src/testing/index.ts";
import { givenApi } from "../../support/given/given_api.ts";

const documentSchema = z.looseObject({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        responses: z.record(z.string(), z.unknown()),
        parameters: z.array(z.looseObject({ name: z.string(), in: z.string() })).default([]),
      }),
    ),
  ),
});

test("the document says with which status each route answers, and which headers an action reads", async () => {
  const { get } = await givenApi();
  const { paths } = await get(documentSchema, "/v1/openapi.json", { token: null });
  const statuses = (path: string, method: string) =>
    Object.keys(paths[path]?.[method]?.responses ?? {}).filter((status) => status !== "default");
  expect(statuses("/v1/actions", "post")).toEqual(["200", "202"]);
  const created = ROUTES.filter(({ definition }) => definition.created === true);
  expect(created.map(({ definition: { path } }) => path)).toContain("/v1/operations/{operation}/approvals");
  for (const { definition } of created) {
    expect(statuses(definition.path, definition.method), definition.path).toEqual(["201"]);
  }
  const headers = (paths["/v1/actions"]?.["post"]?.parameters ?? []).filter((one) => one.in === "header");
  expect(headers.map(({ name }) => name)).toEqual(["idempotency-key", "if-match"]);
});

test("what the document says is what is answered", async () => {
  const { deployer, ask } = await givenApi();
  const token = "eva-has-a-long-secret";
  await deployer.database.principals.enrol("eva", token, { roles: ["administrator"] });
  const answers = [
    await ask("/v1/principals", { token, body: { principal: "kim" } }),
    await ask("/v1/actions", { token, body: registerState() }),
    await ask("/v1/principals", { token }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([201, 200, 200]);
});
