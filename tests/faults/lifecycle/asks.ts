import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { ENDPOINT, EXPERIMENT } from "../../support/deployer.ts";
import type { Ask } from "./commands.ts";
import { type Lifecycle, newest, newestVersion, NEXT, runOf, RUNS, type Stage, type Target } from "./life.ts";
import * as model from "./model.ts";
import { type Control, control, STEPS } from "./rollout_model.ts";

export const runs = fc.constantFrom<string>(...RUNS);
const stages = fc.constantFrom<Stage>("development", "staging", "shadow", "production", "archived");
const targets = fc.constantFrom<Target>("staging", "shadow", "production");
const steps = STEPS.map(({ weight, hours }) => ({ weight, bake_seconds: hours * 3600 }));

export const registering = (run: string): Ask => ({
  text: `register ${run}`,
  inModel: (life) => model.register(life, run),
  request: async () => ({ deployment_action: "register", experiment_id: EXPERIMENT, mlflow_run_id: run }),
});

export const promoting = (run: string, to: Stage): Ask => ({
  text: `promote ${run} to ${to}`,
  inModel: (life, approved) => model.promote(life, newestVersion(life, run), to, approved),
  request: async (real) => ({
    deployment_action: "promote",
    model_version_id: await real.versionOf(run),
    target_stage: to,
  }),
});

export const deploying = (run: string, target: Target, atOnce: boolean): Ask => ({
  text: `deploy ${run} to ${target}${atOnce ? " at once" : ""}`,
  inModel: (life, approved) => model.deploy(life, newestVersion(life, run), target, { atOnce, approved }),
  request: async (real) => ({
    deployment_action: "deploy",
    model_version_id: await real.versionOf(run),
    target_stage: target,
    rollout: atOnce ? "immediate" : { steps, judge: { margin: 1 } },
  }),
});

/** Of the deployments that there are, by number; one more than there are is none. */
function chosen(life: Readonly<Lifecycle>, number: number): string {
  const names = [...Object.keys(life.deployments), "none"];
  return names[number % names.length] ?? "none";
}

const rollingBack = (number: number): Ask => ({
  text: `roll back deployment ${number}`,
  inModel: (life) => model.rollBack(life, chosen(life, number)),
  request: async (real, life) => ({
    deployment_action: "rollback",
    current_deployment_id: real.idOf(chosen(life, number)),
    rollback_reason: "wrong scores",
  }),
});

/** The newest first, so that most rollbacks are of what serves. */
export const rollingBackNewest: Ask = {
  text: "roll back the newest in production",
  inModel: (life) => model.rollBack(life, newest(life)),
  request: async (real, life) => ({
    deployment_action: "rollback",
    current_deployment_id: real.idOf(newest(life)),
    rollback_reason: "wrong scores",
  }),
};

export const controlling = (verb: Control): Ask => ({
  text: verb.replace("_", " "),
  inModel: (life, approved) => control(life, verb, approved),
  request: async () => ({
    deployment_action: verb,
    endpoint_name: ENDPOINT,
    rollout_reason: "as agreed",
    request_id: randomUUID(),
  }),
});

export const retrying: Ask = {
  text: "retry",
  inModel: model.retry,
  request: async () => ({
    deployment_action: "retry",
    endpoint_name: ENDPOINT,
    rollout_reason: "mended",
    request_id: randomUUID(),
  }),
};

/** A run that is registered, by number. */
const registered = (life: Readonly<Lifecycle>, number: number) => {
  const known = [...new Set(Object.keys(life.stages).map(runOf))];
  return known[number % Math.max(1, known.length)] ?? "run1";
};

const promotingNext = (number: number): Ask => {
  const askFor = (life: Readonly<Lifecycle>) => {
    const run = registered(life, number);
    return promoting(run, NEXT[life.stages[newestVersion(life, run)] ?? "archived"] ?? "archived");
  };
  return {
    text: `promote version ${number} to its next stage`,
    inModel: (life, approved) => askFor(life).inModel(life, approved),
    request: (real, life) => askFor(life).request(real, life),
  };
};

const servingAtItsStage = (number: number, atOnce: boolean): Ask => {
  const askFor = (life: Readonly<Lifecycle>) => {
    const run = registered(life, number);
    const stage = life.stages[newestVersion(life, run)];
    const isServed = stage === "staging" || stage === "shadow" || stage === "production";
    return deploying(run, isServed ? stage : "staging", atOnce);
  };
  return {
    text: `deploy version ${number} at its stage${atOnce ? " at once" : ""}`,
    inModel: (life, approved) => askFor(life).inModel(life, approved),
    request: (real, life) => askFor(life).request(real, life),
  };
};

export const asks = fc.oneof(
  { weight: 1, arbitrary: runs.map(registering) },
  { weight: 4, arbitrary: fc.nat(4).map(promotingNext) },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.nat(4), fc.boolean()).map(([number, atOnce]) => servingAtItsStage(number, atOnce)),
  },
  { weight: 1, arbitrary: fc.tuple(runs, stages).map(([run, to]) => promoting(run, to)) },
  {
    weight: 1,
    arbitrary: fc.tuple(runs, targets, fc.boolean()).map(([run, to, atOnce]) => deploying(run, to, atOnce)),
  },
  { weight: 1, arbitrary: fc.nat(12).map(rollingBack) },
  { weight: 3, arbitrary: fc.constant(rollingBackNewest) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Control>("pause", "resume", "abort", "promote_now").map(controlling),
  },
  { weight: 2, arbitrary: fc.constant(retrying) },
);
