import { expect, test } from "vitest";
import type {
  DeployFacts,
  StagedVersion,
  WarmServer,
} from "../../../src/agents/model_deployer/actions/deploy/facts.ts";
import type { Deployment } from "../../../src/agents/model_deployer/domain/entities.ts";
import type { DeployRequest } from "../../../src/agents/model_deployer/domain/requests.ts";
import { planOf, statusesOf, stepsOf } from "../../support/decisions/decided.ts";
import { decideOn } from "../../support/decisions/decided_deployment.ts";
import { aDeployment, anEndpoint, ENDPOINT } from "../../support/given/given_facts.ts";

const STAGING = `${ENDPOINT}_staging`;
const asAsked = { replicas: 2, cpu_limit: "500m", memory_limit: "1Gi" };
const served = { model_version_id: "mv_2", bento_tag: "e2i_remission:v2", ...asAsked };
const autoscaling = { min: 1, max: 3, target_cpu: 60 };

interface Given {
  staged?: Partial<StagedVersion>;
  warm?: Partial<WarmServer>;
  resources?: Partial<Deployment>;
  facts?: Partial<DeployFacts>;
  asked?: Partial<DeployRequest>;
}

/** Version 2 serves staging as d7, and is to be deployed at its stage. */
function planFrom(stage: "shadow" | "production", { staged, warm, resources, facts, asked }: Given = {}) {
  const at = { target_stage: "staging", endpoint_name: STAGING } as const;
  const deployment = aDeployment(7, { ...served, autoscaling, ...at, ...resources });
  const endpoint = anEndpoint({ endpoint_name: STAGING, generation: 4, weights: { d7: 100 } });
  const free = { id: "d7", is_behind: false, is_counted: true, is_outdated: false };
  const given = {
    staged: { endpoint, deployment, is_asked: false, ...staged },
    still_warm: [{ ...free, ...warm }],
    ...facts,
  };
  return planOf(decideOn(stage, given, asked));
}

type Planned = ReturnType<typeof planFrom>;
const startIn = ({ steps }: Planned) =>
  steps.map(({ do: step }) => step).find(({ step }) => step === "start_server");

test.each(["shadow", "production"] as const)(
  "%s adopts the server of staging, which leaves its endpoint when that is served",
  (stage) => {
    const plan = planFrom(stage);
    expect(startIn(plan)).toMatchObject({ adopts: "d7", must_adopt: true, takes_over: null });
    expect(plan.also_leases).toEqual([STAGING]);
    const routed = stepsOf(plan).slice(-4);
    expect(routed).toEqual(["want_route", "apply_route", "want_route", "apply_route"]);
    expect(plan.steps.at(-2)).toMatchObject({
      do: { endpoint_name: STAGING, expected_generation: 4, weights: {}, mirror_deployment_id: null },
      undo: [
        { step: "give_back_server", to_deployment_id: "d7" },
        { step: "want_route", weights: { d7: 100 } },
        { step: "apply_route", generation: 6 },
      ],
    });
    expect(statusesOf(plan.on_success)).toContain("d7: active > draining (0)");
    expect(plan.notes.join()).toContain(
      `Callers of ${STAGING} get no answer until something is deployed there`,
    );
  },
);

test.each<[string, boolean, Given]>([
  ["has other limits", false, { resources: { memory_limit: "3Gi" } }],
  ["is behind", false, { warm: { is_behind: true } }],
  ["was started under other settings", false, { warm: { is_outdated: true } }],
  ["does not answer", false, { facts: { still_warm: [] } }],
  ["has callers", false, { staged: { is_asked: true } }],
  [
    "has callers who are to do without it",
    true,
    { staged: { is_asked: true }, asked: { adopt_staging: true } },
  ],
  ["is to stay", false, { asked: { adopt_staging: false } }],
  ["is to be adopted and cannot be", false, { warm: { is_behind: true }, asked: { adopt_staging: true } }],
  ["has another number of servers", true, { resources: { replicas: 5 } }],
])("a server of staging that %s: adopted %s", (_what, isAdopted, given) => {
  const plan = planFrom("shadow", given);
  expect(startIn(plan)).toMatchObject({ takes_over: null });
  expect("adopts" in (startIn(plan) ?? {})).toBe(isAdopted);
  expect(plan.also_leases).toEqual(isAdopted ? [STAGING] : []);
  expect(statusesOf(plan.on_success).some((one) => one.startsWith("d7"))).toBe(isAdopted);
});

test("who could have it, or asked for it in vain, is told", () => {
  const called = planFrom("shadow", { staged: { is_asked: true } });
  expect(called.notes.join()).toContain("has callers, who keep it");
  const behind = planFrom("shadow", { warm: { is_behind: true }, asked: { adopt_staging: true } });
  expect(behind.notes.join()).toContain("is not adopted");
  const nowhere = planFrom("shadow", { facts: { staged: null }, asked: { adopt_staging: true } });
  expect(nowhere.notes.join()).toContain("No server of it serves staging");
});

test("its shadow's server comes first, and staging keeps its own", () => {
  const shadow = aDeployment(9, { ...served, autoscaling, target_stage: "shadow" });
  const warm = (id: string) => ({ id, is_behind: false, is_counted: true, is_outdated: false });
  const plan = planFrom("production", {
    facts: {
      endpoint: anEndpoint({ mirror_deployment_id: "d9" }),
      deployments: [shadow, aDeployment(1)],
      still_warm: [warm("d9"), warm("d7")],
    },
  });
  expect(startIn(plan)).toMatchObject({ adopts: "d9" });
  expect(startIn(plan)).not.toHaveProperty("must_adopt");
  expect(plan.also_leases).toEqual([]);
});
