import fc from "fast-check";
import { ENDPOINT } from "../../support/deployer.ts";
import { Happens } from "./commands.ts";
import { type Lifecycle, newest, openRollout, previousOf, restartListener, serve, wait } from "./life.ts";
import * as rollouts from "./rollout_model.ts";

const isOpen = (life: Readonly<Lifecycle>) => Object.keys(life.weights).length > 0 || life.mirror !== null;

export const traffic = (requests: number) =>
  new Happens({
    text: `${requests} requests come`,
    inModel: (life) => {
      serve(life, requests);
    },
    inReal: async (real) => {
      real.sendTraffic(requests, null);
    },
    isPossible: isOpen,
  });

export const look = new Happens({
  text: "the worker looks",
  inModel: rollouts.look,
  inReal: (real) => real.lookNow(),
});

const failingCandidate = new Happens({
  text: "the candidate fails every request, and the worker looks",
  inModel: (life) => {
    serve(life, 1_000);
    rollouts.fail(life);
  },
  inReal: async (real, life) => {
    await real.lookNow();
    real.sendTraffic(1_000, life.rollout?.candidate ?? null);
    await real.lookNow();
  },
  isPossible: (life) => rollouts.isAwaitingAnswers(life),
});

const dyingCandidate = new Happens({
  text: "the candidate's server dies, and the worker looks",
  inModel: (life) => {
    rollouts.fail(life);
  },
  inReal: async (real, life) => {
    real.given.server.crash(real.idOf(life.rollout?.candidate ?? "none"));
    await real.lookNow();
  },
  isPossible: (life) => openRollout(life) !== null,
});

/** Whose baseline is still warm: then it gets a share back to be compared with, and the judge brings it back. */
const failingAfterwards = new Happens({
  text: "what was rolled out fails every request, and the worker looks",
  inModel: (life) => {
    serve(life, 1_000);
    rollouts.fail(life);
  },
  inReal: async (real, life) => {
    await real.lookNow();
    for (let looks = 0; looks < 2; looks += 1) {
      real.sendTraffic(500, life.rollout?.candidate ?? null);
      await real.lookNow();
      await real.lookNow();
    }
  },
  isPossible: ({ rollout, weights, deployments }) =>
    rollout?.status === "completed" &&
    weights[rollout.candidate] === 100 &&
    deployments[rollout.baseline]?.isWarm === true,
});

const failingShadow = new Happens({
  text: "the shadow fails a hundred requests",
  inModel: (life) => {
    serve(life, 100, 100);
  },
  inReal: async (real, life) => {
    real.sendTraffic(100, life.mirror?.name ?? null);
  },
  isPossible: ({ mirror }) => mirror !== null,
});

const dyingWarmServer = new Happens({
  text: "a warm server dies",
  inModel: (life) => {
    const previous = life.deployments[previousOf(life, newest(life)) ?? "none"];
    if (previous !== undefined) previous.isWarm = false;
  },
  inReal: async (real, life) => {
    real.given.server.crash(real.idOf(previousOf(life, newest(life)) ?? "none"));
  },
  isPossible: (life) => openRollout(life) === null && previousOf(life, newest(life)) !== null,
});

const dyingListener = new Happens({
  text: "the listener dies and is opened again",
  inModel: restartListener,
  inReal: async ({ given }) => {
    given.router.kill(ENDPOINT);
    await given.router.open(ENDPOINT, { signal: AbortSignal.timeout(1_000) });
  },
  isPossible: isOpen,
});

export const waiting = (hours: number) =>
  new Happens({
    text: `${hours} hours pass`,
    inModel: (life) => {
      wait(life, hours);
    },
    inReal: (real) => real.wait(hours),
  });

export const happenings = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(20, 200, 1_000).map(traffic) },
  { weight: 4, arbitrary: fc.constant(look) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      failingCandidate,
      failingAfterwards,
      failingShadow,
      dyingCandidate,
      dyingWarmServer,
      dyingListener,
    ),
  },
  { weight: 2, arbitrary: fc.constantFrom(0.25, 1, 25).map(waiting) },
);
