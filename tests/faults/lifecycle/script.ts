import fc from "fast-check";
import {
  asks,
  controlling,
  deploying,
  promoting,
  registering,
  retrying,
  rollingBackNewest,
  runs,
} from "./asks.ts";
import { type Ask, Asking, type Cut, CutOff, Happens, type Step } from "./commands.ts";
import { happenings, look, traffic, waiting } from "./happenings.ts";
import { type Lifecycle, newestVersion, RUNS, serve, wait } from "./life.ts";
import type { Approval, RealLifecycle } from "./real.ts";

// Ways that scripts seldom find by themselves.

/** All that it takes until the run may go to production. */
const ripening = (run: string) =>
  new Happens({
    text: `${run} ripens`,
    inModel: (life) => {
      for (const ask of ripeningAsks(life, run)) ask.inModel(life, true);
      if (life.mirror === null) return;
      serve(life, 1_000);
      wait(life, 25);
    },
    inReal: async (real, life) => {
      const ahead = structuredClone(life);
      for (const ask of ripeningAsks(ahead, run)) {
        ask.inModel(ahead, true);
        await real.ask(await ask.request(real, ahead), "given");
      }
      if (ahead.mirror === null) return;
      await real.standing(ahead);
      real.sendTraffic(1_000, null);
      await real.wait(25);
    },
  });

function* ripeningAsks(life: Lifecycle, run: string): Generator<Ask> {
  yield registering(run);
  const stage = () => life.stages[newestVersion(life, run)];
  if (stage() === "development") yield promoting(run, "staging");
  if (stage() === "staging") yield promoting(run, "shadow");
  if (stage() === "shadow") yield deploying(run, "shadow", false);
}

const askedOf = (ask: Ask) => new Asking(ask, "given");
const goodRuns = fc.constantFrom(...RUNS.slice(0, 4));
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
    .map((times) => Array.from({ length: times }, () => [traffic(10_000), look, waiting(2)]).flat()),
  fc
    .constantFrom<Step>(askedOf(controlling("abort")), askedOf(rollingBackNewest))
    .map((stop) => [stop, askedOf(retrying)]),
);

const CALLS = [
  ...["journal.begin", "journal.record", "journal.finish", "server.start", "router.open", "router.apply"],
  ...["packager.packageModel", "registry.fetchArtifact", "registry.registerVersion"],
];
const cuts: fc.Arbitrary<Cut> = fc.record({
  call: fc.constantFrom(...CALLS),
  when: fc.constantFrom("before", "after"),
});

const approvals = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Approval>("given") },
  { weight: 1, arbitrary: fc.constantFrom<Approval>("missing", "expired") },
);

export function scripts(options: { longest: number; replayPath?: string }) {
  return fc.commands(
    [
      fc.tuple(asks, approvals).map(([ask, approval]) => new Asking(ask, approval)),
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
