import { describe, expect, test } from "vitest";
import {
  choosingEngine,
  missingEngines,
  unreachable,
} from "../../../src/agents/model_deployer/domain/servers/engine_refusals.ts";
import {
  configured,
  engineFor,
  type EngineKind,
  engineOf,
  type InstalledEngines,
  LOCAL_ENGINE,
  reaches,
  type RouterKind,
} from "../../../src/agents/model_deployer/domain/servers/engines.ts";

const all = (router: RouterKind): InstalledEngines => ({
  usual: "local",
  routers: { local: "worker", kubernetes: router, bentocloud: "worker" },
});

describe("which engine new deployments of a stage are made on", () => {
  const policy = { engines: { production: "kubernetes" as const } };
  test.each([
    ["staging", "local"],
    ["shadow", "kubernetes"],
    ["production", "kubernetes"],
  ] as const)("%s: %s, since a shadow is at production's endpoint", (stage, engine) => {
    expect(engineFor(stage, policy, all("worker"))).toBe(engine);
  });

  test("the usual one where the policy names none, and of what was made before engines were written down", () => {
    const usual = { ...all("worker"), usual: "bentocloud" as const };
    expect(engineFor("production", { engines: {} }, usual)).toBe("bentocloud");
    expect(engineOf({ engine: null }, usual)).toBe("bentocloud");
    expect(engineOf({ engine: "local" }, usual)).toBe("local");
    expect(configured(usual)).toEqual(["bentocloud", "local", "kubernetes"]);
  });
});

describe("which router reaches the servers of which engine", () => {
  const table: [RouterKind, RouterKind, EngineKind[]][] = [
    ["worker", "worker", ["local", "kubernetes", "bentocloud"]],
    ["worker", "cluster", ["local", "bentocloud"]],
    ["worker", "gateway", ["local", "bentocloud"]],
    ["cluster", "cluster", ["kubernetes"]],
    ["gateway", "gateway", ["kubernetes"]],
  ];
  test.each(table)("%s, where the cluster's is %s: %j", (router, ofCluster, reached) => {
    const engines: EngineKind[] = ["local", "kubernetes", "bentocloud"];
    expect(engines.filter((one) => reaches(router, one, all(ofCluster)))).toEqual(reached);
  });
});

test("a policy is refused by each engine that is not configured, with the setting and the command that help", () => {
  expect(missingEngines("churn", { staging: "local" }, LOCAL_ENGINE)).toBeNull();
  const found = missingEngines("churn", { staging: "local", production: "bentocloud" }, LOCAL_ENGINE);
  expect(found?.sentence).toBe(
    "The policy of churn serves production on bentocloud, and this deployer has local alone: set MODEL_DEPLOYER_ENGINE=local,bentocloud and what bentocloud needs (docs/engines.md) wherever the deployer runs, or have the policy name another one.",
  );
  expect(found?.next).toEqual([
    choosingEngine("churn", "production", null, "serves production on local, as ever"),
  ]);
});

test("an endpoint's router is told by its name where it does not reach an engine, or is not configured", () => {
  const endpoint = { endpoint_name: "e2i_churn", engine: "local" as const };
  expect(unreachable("kubernetes", endpoint, all("worker"))).toBeNull();
  expect(unreachable("kubernetes", endpoint, all("cluster"))).toMatch(
    /e2i_churn keeps its address and its router \(worker\) for its life.*set MODEL_DEPLOYER_ROUTER=worker/,
  );
  const there = { ...endpoint, engine: "kubernetes" as const };
  expect(unreachable("local", there, all("gateway"))).toMatch(
    /its router \(gateway\).*an experiment of its own/,
  );
  expect(unreachable("local", there, LOCAL_ENGINE)).toMatch(
    /e2i_churn has its address at the router of kubernetes, and this deployer has local alone/,
  );
});
