import { expect, test } from "vitest";
import type { Deployment } from "../../../src/agents/model_deployer/domain/entities.ts";
import { ConflictError } from "../../../src/agents/model_deployer/errors.ts";
import { deploymentNamed } from "../../../src/cli/rollback_target.ts";
import { aDeployment, ENDPOINT, later, NOW } from "../../support/given_facts.ts";

const rolledBack = (number: number, secondsAgo: number, overrides: Partial<Deployment> = {}) =>
  aDeployment(number, {
    status: "rolled_back",
    rolled_back_at: later(-secondsAgo),
    rollback_reason: "wrong scores",
    ...overrides,
  });

function named(
  deployments: Deployment[],
  weights: Record<string, number> = { d2: 100 },
  open: { deployment_id: string } | null = null,
): string {
  return deploymentNamed({ endpoint_name: ENDPOINT, weights, open, deployments, now: NOW });
}

test("a name stands for no version that was brought back within five minutes, and the way out is told", () => {
  for (const seconds of [0, 42, 300]) {
    const asked = () => named([rolledBack(3, seconds), aDeployment(2), aDeployment(1)]);
    expect(asked).toThrow(ConflictError);
    expect(asked).toThrow(
      `d3 of ${ENDPOINT} was rolled back ${seconds} s ago (wrong scores), and d2 serves now. Nothing was changed. To take that one back too: model-deployer rollback d2 `,
    );
  }
  expect(named([rolledBack(3, 301), aDeployment(2), aDeployment(1)])).toBe("d2");
});

test("of several that were rolled back the last one is told, and its reason where it has one", () => {
  const older = rolledBack(4, 200);
  const newer = rolledBack(3, 7, { rollback_reason: null });
  expect(() => named([older, newer, aDeployment(2)])).toThrow(
    "d3 of e2i_remission was rolled back 7 s ago (no reason was given)",
  );
});

test("a name goes on standing for what a later deployment brought, and for what is in rollout or was cut off", () => {
  const justNow = rolledBack(3, 1);
  const known = [justNow, aDeployment(2), aDeployment(1)];
  expect(named([aDeployment(4), ...known], { d4: 100 })).toBe("d4");
  expect(named([aDeployment(4), ...known], { d2: 90, d4: 10 }, { deployment_id: "d4" })).toBe("d4");
  expect(named([aDeployment(4, { status: "deploying" }), ...known], { d2: 90, d4: 10 })).toBe("d4");
  expect(named([rolledBack(3, 1, { target_stage: "shadow" }), aDeployment(2)])).toBe("d2");
  expect(named([], {})).toBe(ENDPOINT);
});
