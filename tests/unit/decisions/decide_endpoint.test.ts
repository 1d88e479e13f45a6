import { expect, test } from "vitest";
import type { EndpointFacts, WantedServer } from "../../../src/agents/model_deployer/reconciliation/facts.ts";
import { decideEndpoint } from "../../../src/agents/model_deployer/reconciliation/decide.ts";
import { aDeployment, anEndpoint, aVersion } from "../../support/given/given_facts.ts";

const deployment = aDeployment(1);
const id = deployment.deployment_id;
const endpoint = anEndpoint({ weights: { [id]: 100 }, generation: 4, observed_generation: 4 });
const route = {
  endpoint_name: endpoint.endpoint_name,
  generation: 4,
  weights: endpoint.weights,
  mirror_deployment_id: null,
};

function stepsFor(overrides: Partial<EndpointFacts>): string[] {
  const server: WantedServer = {
    deployment,
    version: aVersion(1),
    state: { state: "starting" },
    life: { life: "alive" },
    ...{ replicas: null, usage: [], scale: null, restarts: null },
  };
  const facts = {
    ...{ endpoint, busy: null, candidate_id: null, route, servers: [server], unreached: [] },
    ...overrides,
  };
  return decideEndpoint(facts).steps.map(({ do: { step } }) => step);
}

test("a route that leads to a server which is starting is applied once that answers", () => {
  expect(stepsFor({ route: null })).toEqual([
    "package_model",
    "start_server",
    "open_endpoint",
    "apply_route",
  ]);
});

test("a server that is starting is left alone where its route is right", () => {
  expect(stepsFor({})).toEqual([]);
});

const lost = aDeployment(2);
const shadow = { ...aDeployment(3), target_stage: "shadow" as const };
const facts: EndpointFacts = {
  ...{ endpoint, busy: null, candidate_id: null, route, servers: [] },
  unreached: [lost, shadow],
};

test("what counts as serving and no request reaches is ended, what served production warm for a while", () => {
  const { drifts, steps, changes } = decideEndpoint(facts);
  expect(drifts.map(({ subject, left }) => [subject, left])).toEqual([
    [lost.deployment_id, null],
    [shadow.deployment_id, null],
  ]);
  expect(steps).toEqual([]);
  expect(changes).toMatchObject([
    { deployment_id: lost.deployment_id, from: ["active"], to: "draining", keep_warm_seconds: 300 },
    { deployment_id: shadow.deployment_id, from: ["active"], to: "draining", keep_warm_seconds: 0 },
  ]);
});

test("while an operation is to be carried on there, it is left to that", () => {
  const busy = { kind: "interrupted", by: "operation op_1 is carrying_out" } as const;
  const { drifts, changes } = decideEndpoint({ ...facts, busy });
  expect(drifts.map(({ left }) => left)).toEqual(Array(2).fill(expect.stringContaining("resumed first")));
  expect(changes).toEqual([]);
});
