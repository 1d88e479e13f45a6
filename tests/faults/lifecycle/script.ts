import fc from "fast-check";
import { EXPERIMENT } from "../../support/deployer.ts";
import { type Ask, Asking, type Cut, CutOff, Happens, type Step } from "./commands.ts";
import { happenings, look, traffic } from "./happenings.ts";
import * as model from "./model.ts";
import type { RealLifecycle } from "./real.ts";

type Lifecycle = model.Lifecycle;

const runs = fc.constantFrom<string>(...model.RUNS);
const stages = fc.constantFrom<model.Stage>("development", "staging", "shadow", "production", "archived");
const targets = fc.constantFrom<model.Target>("staging", "shadow", "production");
const steps = model.STEPS.map((weight) => ({ weight, bake_seconds: 0 }));

// ---------------------------------------------------------------- what callers ask for

const registering = (run: string): Ask => ({
  text: `register ${run}`,
  inModel: (life) => model.register(life, run),
  request: async () => ({ deployment_action: "register", experiment_id: EXPERIMENT, mlflow_run_id: run }),
});

const promoting = (run: string, to: model.Stage): Ask => ({
  text: `promote ${run} to ${to}`,
  inModel: (life, approved) => model.promote(life, run, to, approved),
  request: async (real) => ({
    deployment_action: "promote",
    model_version_id: await real.versionOf(run),
    target_stage: to,
  }),
});

const deploying = (run: string, target: model.Target, atOnce: boolean): Ask => ({
  text: `deploy ${run} to ${target}${atOnce ? " at once" : ""}`,
  inModel: (life, approved) => model.deploy(life, run, target, { atOnce, approved }),
  request: async (real) => ({
    deployment_action: "deploy",
    model_version_id: await real.versionOf(run),
    target_stage: target,
    rollout: atOnce ? "immediate" : { steps },
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
const rollingBackNewest: Ask = {
  text: "roll back the newest in production",
  inModel: (life) => model.rollBack(life, model.newest(life)),
  request: async (real, life) => ({
    deployment_action: "rollback",
    current_deployment_id: real.idOf(model.newest(life)),
    rollback_reason: "wrong scores",
  }),
};

/** A run that is registered, by number. */
const registered = (life: Readonly<Lifecycle>, number: number) => {
  const known = Object.keys(life.stages);
  return known[number % Math.max(1, known.length)] ?? "run1";
};

const promotingNext = (number: number): Ask => {
  const askFor = (life: Readonly<Lifecycle>) => {
    const run = registered(life, number);
    return promoting(run, model.NEXT[life.stages[run] ?? "archived"] ?? "archived");
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
    const stage = life.stages[run];
    const isServed = stage === "staging" || stage === "shadow" || stage === "production";
    return deploying(run, isServed ? stage : "staging", atOnce);
  };
  return {
    text: `deploy version ${number} at its stage${atOnce ? " at once" : ""}`,
    inModel: (life, approved) => askFor(life).inModel(life, approved),
    request: (real, life) => askFor(life).request(real, life),
  };
};

const asks = fc.oneof(
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
);

// ---------------------------------------------------------------- ways that scripts seldom find by themselves

/** All that it takes until the run may go to production. */
const ripening = (run: string) =>
  new Happens({
    text: `${run} ripens`,
    inModel: (life) => {
      for (const ask of ripeningAsks(life, run)) ask.inModel(life, true);
      if (life.mirror === null) return;
      model.serve(life, 1_000);
      model.wait(life, 25);
    },
    inReal: async (real, life) => {
      const ahead = structuredClone(life);
      for (const ask of ripeningAsks(ahead, run)) {
        ask.inModel(ahead, true);
        await real.ask(await ask.request(real, ahead), true);
      }
      if (ahead.mirror === null) return;
      await real.standing(ahead);
      real.sendTraffic(1_000, null);
      await real.wait(25);
    },
  });

function* ripeningAsks(life: Lifecycle, run: string): Generator<Ask> {
  yield registering(run);
  if (life.stages[run] === "development") yield promoting(run, "staging");
  if (life.stages[run] === "staging") yield promoting(run, "shadow");
  if (life.stages[run] === "shadow") yield deploying(run, "shadow", false);
}

const askedOf = (ask: Ask) => new Asking(ask, true);
const goodRuns = fc.constantFrom(...model.RUNS.slice(0, 4));
const ripeAndPromoted = (run: string): Step[] => [ripening(run), askedOf(promoting(run, "production"))];

/** Brings a run so far, in the model and in the deployer. */
export async function bring(
  real: RealLifecycle,
  life: Lifecycle,
  run: string,
  to: "ripe" | "promoted" | "rolled out in steps" | "served",
): Promise<void> {
  const list: Step[] = to === "ripe" ? [ripening(run)] : ripeAndPromoted(run);
  if (to === "served" || to === "rolled out in steps") {
    list.push(askedOf(deploying(run, "production", to === "served")));
  }
  for (const step of list) {
    const before = structuredClone(life);
    step.inModel(life);
    await step.inReal(real, before);
    await real.standing(life);
  }
}

/** Several steps that follow one another, where a script's next step stands. */
const detours: fc.Arbitrary<Step[]> = fc.oneof(
  fc
    .tuple(goodRuns, fc.boolean())
    .map(([run, atOnce]) => [...ripeAndPromoted(run), askedOf(deploying(run, "production", atOnce))]),
  goodRuns.map((run) => [...ripeAndPromoted(run), askedOf(promoting(run, "archived"))]),
  fc
    .integer({ min: 1, max: 3 })
    .map((times) => Array.from({ length: times }, () => [traffic(1_000), look]).flat()),
);

const CALLS = [
  ...["journal.begin", "journal.record", "journal.finish", "server.start", "router.open", "router.apply"],
  ...["packager.packageModel", "registry.fetchArtifact", "registry.registerVersion"],
];
const cuts: fc.Arbitrary<Cut> = fc.record({
  call: fc.constantFrom(...CALLS),
  when: fc.constantFrom("before", "after"),
});

export function scripts(options: { longest: number; replayPath?: string }) {
  return fc.commands(
    [
      fc.tuple(asks, fc.integer({ min: 0, max: 4 })).map(([ask, luck]) => new Asking(ask, luck > 0)),
      fc.tuple(asks, cuts).map(([ask, cut]) => new CutOff(ask, cut)),
      runs.map(ripening),
      detours.map((list) => new Following(list)),
      happenings,
    ],
    {
      maxCommands: options.longest,
      size: "max",
      ...(options.replayPath === undefined ? {} : { replayPath: options.replayPath }),
    },
  );
}

/** Runs one after the other, each checked. */
class Following implements fc.AsyncCommand<Lifecycle, RealLifecycle> {
  readonly #steps: readonly Step[];

  constructor(list: readonly Step[]) {
    this.#steps = list;
  }

  check(): boolean {
    return true;
  }

  async run(life: Lifecycle, real: RealLifecycle): Promise<void> {
    for (const step of this.#steps) if (step.check(life)) await step.run(life, real);
  }

  toString(): string {
    return this.#steps.join("; ");
  }
}
