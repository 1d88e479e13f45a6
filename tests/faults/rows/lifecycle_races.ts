import { randomUUID } from "node:crypto";
import fc from "fast-check";
import type { ModelDeployerRequest } from "../../../src/agents/model_deployer/state/state.ts";
import { anotherProcess, ENDPOINT } from "../../support/deployer.ts";
import { checkProperty, hold } from "../harness/checked_property.ts";
import type { FaultRow } from "../harness/fault_row.ts";
import { type Lifecycle, newLifecycle, newest } from "../lifecycle/life.ts";
import { RealLifecycle } from "../lifecycle/real.ts";
import { bring } from "../lifecycle/script.ts";
import { openScratchDeployer, type ScratchDeployer } from "../harness/scratch.ts";

const NAME = "lifecycle-races";
const CASES = { selection: 3, whole: 60 };
const RACERS = { minLength: 2, maxLength: 6 };

/** Requests for an endpoint where run1 serves and run2 and run3 come up. */
const moves = {
  promote: { deployment_action: "promote", run: "run3", target_stage: "production" },
  archive: { deployment_action: "promote", run: "run2", target_stage: "archived" },
  deploy_in_steps: { deployment_action: "deploy", run: "run2", target_stage: "production" },
  deploy_at_once: {
    deployment_action: "deploy",
    run: "run2",
    target_stage: "production",
    rollout: "immediate",
  },
  shadow_again: { deployment_action: "deploy", run: "run3", target_stage: "shadow" },
  roll_back: { deployment_action: "rollback" },
  pause: { deployment_action: "pause" },
  resume: { deployment_action: "resume" },
  abort: { deployment_action: "abort" },
  promote_now: { deployment_action: "promote_now" },
  retry: { deployment_action: "retry" },
  tick: null,
} as const;
type Move = keyof typeof moves;

const steps = [10, 50, 100].map((weight) => ({ weight, bake_seconds: 0 }));
/** Whoever loses is told so; nothing else may come of a race. */
const FAIR = [
  ...["done", "conflict", "invalid_promotion_path", "production_criteria_not_met", "stage_mismatch"],
  ...["rollback_failed", "approval_required", "invalid_approval", "not_found", "server_not_ready"],
];

const races = fc.record({
  isRollingOut: fc.boolean(),
  racers: fc.array(
    fc.constantFrom<Move>(
      "promote",
      "archive",
      "deploy_in_steps",
      "deploy_at_once",
      "shadow_again",
      "roll_back",
      "pause",
      "resume",
      "abort",
      "promote_now",
      "retry",
      "tick",
    ),
    RACERS,
  ),
});
type Race = typeof races extends fc.Arbitrary<infer T> ? T : never;

export const lifecycleRaces: FaultRow = {
  name: NAME,
  fault:
    "Two to six processes act on one endpoint at once, among them several that ask for the same: each gets an answer or is told who came first, and once all is quiet every invariant holds.",
  run: async (options) => {
    const tally = new Map<string, number>();
    const checked = await checkProperty(
      {
        row: NAME,
        arbitrary: races,
        runs: CASES[options.extent],
        shown: (race) => JSON.stringify(race),
        predicate: async (race) => {
          const scratch = await openScratchDeployer(options.services);
          try {
            await runRace(race, scratch, tally);
          } finally {
            await scratch.close();
          }
        },
      },
      options,
    );
    const came = [...tally].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, count]) => `${count} ${what}`);
    return { ...checked, lost: 0, notes: [`${checked.cases} races`, `requests: ${came.join(", ")}`] };
  },
};

async function runRace(race: Race, scratch: ScratchDeployer, tally: Map<string, number>): Promise<void> {
  const real = new RealLifecycle(scratch, new Map());
  const life = await bringUp(real, race);
  const outcomes = await Promise.all(
    race.racers.map(async (move) => {
      const racer = new RealLifecycle({ ...scratch, given: anotherProcess(scratch.given) }, tally);
      return `${move}: ${await run(move, racer, real, life)}`;
    }),
  );
  const unfair = outcomes.filter((outcome) => !FAIR.some((code) => outcome.endsWith(`: ${code}`)));
  hold(unfair.length === 0, () => unfair.join("; "));
  await real.settle();
  const violations = await real.violations();
  hold(violations.length === 0, () => `${outcomes.join(", ")}: ${violations.join("; ")}`);
}

async function run(move: Move, racer: RealLifecycle, real: RealLifecycle, life: Lifecycle): Promise<string> {
  const request = moves[move];
  if (request === null) {
    const { problems } = await racer.given.worker.tick();
    return problems.every((problem) => /moved on|conflict|holds|expected|is being/i.test(problem))
      ? "done"
      : problems.join(", ");
  }
  return racer.ask(await requestOf(request, real, life), "given");
}

async function requestOf(
  request: NonNullable<(typeof moves)[Move]>,
  real: RealLifecycle,
  life: Lifecycle,
): Promise<ModelDeployerRequest> {
  if (request.deployment_action === "rollback") {
    return {
      deployment_action: "rollback",
      current_deployment_id: real.idOf(newest(life)),
      rollback_reason: "wrong scores",
    };
  }
  if (!("run" in request)) {
    return { ...request, endpoint_name: ENDPOINT, rollout_reason: "as agreed", request_id: randomUUID() };
  }
  const { run: name, ...rest } = request;
  const rollout = request.deployment_action === "deploy" ? { rollout: { steps } } : {};
  return { ...rollout, ...rest, model_version_id: await real.versionOf(name) };
}

/** run1 serves, run2 is at production and may be rolling out, run3 is ripe. */
async function bringUp(real: RealLifecycle, { isRollingOut }: Race): Promise<Lifecycle> {
  const life = newLifecycle();
  await bring(real, life, "run1", "served");
  await bring(real, life, "run2", isRollingOut ? "rolled out in steps" : "promoted");
  await bring(real, life, "run3", "ripe");
  if (isRollingOut) real.sendTraffic(1_000, null);
  hold(
    (await real.given.router.observe(ENDPOINT, { signal: AbortSignal.timeout(1_000) })) !== null,
    () => "nothing serves",
  );
  await real.holdRollouts();
  return life;
}
