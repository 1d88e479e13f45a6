import fc from "fast-check";
import { ENDPOINT } from "../../src/testing/index.ts";
import { asked, deploymentOf, run } from "./asked.ts";
import { Happens } from "./command.ts";
import { askTogether, dieWhileAsking, LAST_CALLS } from "./operators.ts";
import { live, wait } from "./world.ts";

const happens = {
  time: fc
    .constantFrom(1, 3600, 40 * 24 * 3600)
    .map((seconds) => new Happens(`${seconds} s pass`, ({ walker }) => wait(walker, seconds))),
  bad: run.map(
    (of) =>
      new Happens(`${of} fails its callers`, async ({ walker }) => {
        const bad = { [await deploymentOf(walker, of)]: { error_rate: 1 } };
        for (let look = 0; look < 3; look += 1) {
          await walker.passTime({ seconds: 5 });
          await live(walker, bad);
        }
      }),
  ),
  crash: run.map(
    (of) =>
      new Happens(`the server of ${of} crashes`, async ({ walker }) => {
        walker.server.crash(await deploymentOf(walker, of));
        await walker.worker.tick();
      }),
  ),
  fault: fc.constantFrom("router.apply", "server.start", "registry.fetchArtifact").map(
    (call) =>
      new Happens(`${call} fails once`, async ({ walker }) => {
        walker.wire.fail(call, { times: 1 });
      }),
  ),
  pruned: run.map(
    (of) =>
      new Happens(`the bento of ${of} is pruned`, async ({ walker }) => {
        const deployment = await walker.database.deployments.get(await deploymentOf(walker, of));
        walker.packager.lose(deployment?.bento_tag ?? "");
      }),
  ),
  operator: fc.constant(
    new Happens("another operator holds the endpoint for a moment", async ({ walker }) => {
      const { leases } = walker.database;
      const lease = await leases.acquire(ENDPOINT, { ttl_seconds: 5, preempt: true });
      await walker.passTime({ seconds: 6 });
      await leases.release(lease);
    }),
  ),
};

const anyAsked = fc.oneof(...Object.values(asked));

/** Other operators: one who asks at the same moment, and one whose process ends in the middle. */
const others = {
  together: fc.tuple(anyAsked, anyAsked).map(
    ([one, other]) =>
      new Happens(`${one.toString()}, and at once ${other.toString()}`, async ({ walker, tally }) => {
        const requests = [await one.requestFor(walker), await other.requestFor(walker)] as const;
        await askTogether(walker, requests, tally);
      }),
  ),
  death: fc.tuple(anyAsked, fc.constantFrom(...LAST_CALLS)).map(
    ([one, call]) =>
      new Happens(`${one.toString()}, dead before ${call}`, async ({ walker }) => {
        await dieWhileAsking(walker, await one.requestFor(walker), call);
      }),
  ),
  overtaken: fc.tuple(anyAsked, fc.constantFrom(...LAST_CALLS), anyAsked).map(
    ([one, call, other]) =>
      new Happens(
        `${one.toString()}, dead before ${call}, and ${other.toString()} beside it`,
        async (walk) => {
          const { walker } = walk;
          const beside = () => other.run({}, walk);
          await dieWhileAsking(walker, await one.requestFor(walker), call, beside);
        },
      ),
  ),
};

/** More of what brings versions forward, so that there is something to go back to. */
export const commands = [
  ...Array.from({ length: 6 }, () => asked.forward),
  ...[asked.rollback, asked.back, asked.control, asked.archive, asked.back, asked.control],
  ...Object.values(asked),
  ...Object.values(happens),
  ...[others.together, others.death, others.together, others.overtaken],
];
