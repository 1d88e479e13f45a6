import { expect, test } from "vitest";
import { usualKeptRows } from "../../../src/agents/model_deployer/domain/evidence/kept_rows.ts";
import { KEEPING_ROWS } from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import { checkKeptRows } from "../../../src/service/policies/checked_engines.ts";

const installed = {
  usual: "local",
  routers: { local: "worker", kubernetes: "worker", bentocloud: "worker" },
} as const;
const rows = { kept_rows: { ...usualKeptRows, sample: 0.01 } };
const on = (engine: "local" | "kubernetes" | "bentocloud") => ({ engines: { production: engine } });
const check = (before: object, wanted: object) => () =>
  checkKeptRows(before, wanted, installed, KEEPING_ROWS);

test.each(["kubernetes", "bentocloud"] as const)(
  "no policy asks for rows in vain, of servers on %s",
  (engine) => {
    const said = `production is served on ${engine}`;
    expect(check(on(engine), { ...on(engine), ...rows })).toThrow(said);
    expect(check(rows, { ...on(engine), ...rows })).toThrow(said);
    const other = { ...on(engine), kept_rows: { ...rows.kept_rows, hidden: ["name"] } };
    expect(check({ ...on(engine), ...rows }, other)).toThrow(said);
  },
);

test("a policy on the deployer's own machine asks for rows, and elsewhere for none or for what it had", () => {
  const former = { ...on("kubernetes"), ...rows };
  expect(check({}, rows)).not.toThrow();
  expect(check(former, { ...on("kubernetes"), kept_rows: null })).not.toThrow();
  expect(check(former, former)).not.toThrow();
});
