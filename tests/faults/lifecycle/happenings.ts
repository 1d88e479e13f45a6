import fc from "fast-check";
import { ENDPOINT } from "../../support/deployer.ts";
import { Happens } from "./commands.ts";
import * as model from "./model.ts";

type Lifecycle = model.Lifecycle;

const isOpen = (life: Readonly<Lifecycle>) => Object.keys(life.weights).length > 0 || life.mirror !== null;

export const traffic = (requests: number) =>
  new Happens({
    text: `${requests} requests come`,
    inModel: (life) => {
      model.serve(life, requests);
    },
    inReal: async (real) => {
      real.sendTraffic(requests, null);
    },
    isPossible: isOpen,
  });

export const look = new Happens({
  text: "the worker looks",
  inModel: model.look,
  inReal: (real) => real.lookNow(),
});

const failingCandidate = new Happens({
  text: "the candidate fails every request, and the worker looks",
  inModel: (life) => {
    model.serve(life, 1_000);
    model.rollBack(life, life.rollout?.candidate ?? "none");
  },
  inReal: async (real, life) => {
    real.sendTraffic(1_000, life.rollout?.candidate ?? null);
    await real.lookNow();
  },
  isPossible: ({ rollout }) => rollout !== null && rollout.unseen === 0,
});

const dyingCandidate = new Happens({
  text: "the candidate's server dies, and the worker looks",
  inModel: (life) => {
    model.rollBack(life, life.rollout?.candidate ?? "none");
  },
  inReal: async (real, life) => {
    real.given.server.crash(real.idOf(life.rollout?.candidate ?? "none"));
    await real.lookNow();
  },
  isPossible: ({ rollout }) => rollout !== null,
});

const dyingWarmServer = new Happens({
  text: "a warm server dies",
  inModel: () => undefined,
  inReal: async (real, life) => {
    real.given.server.crash(real.idOf(model.previousOf(life, model.newest(life)) ?? "none"));
  },
  isPossible: (life) => life.rollout === null && model.previousOf(life, model.newest(life)) !== null,
});

const dyingListener = new Happens({
  text: "the listener dies and is opened again",
  inModel: model.restartListener,
  inReal: async ({ given }) => {
    given.router.kill(ENDPOINT);
    await given.router.open(ENDPOINT, { signal: AbortSignal.timeout(1_000) });
  },
  isPossible: isOpen,
});

const waiting = (hours: number) =>
  new Happens({
    text: `${hours} hours pass`,
    inModel: (life) => {
      model.wait(life, hours);
    },
    inReal: (real) => real.wait(hours),
  });

export const happenings = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(20, 200, 1_000).map(traffic) },
  { weight: 4, arbitrary: fc.constant(look) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(failingCandidate, dyingCandidate, dyingWarmServer, dyingListener),
  },
  { weight: 1, arbitrary: fc.constantFrom(1, 25).map(waiting) },
);
