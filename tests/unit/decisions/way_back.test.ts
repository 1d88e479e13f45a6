import { expect, test } from "vitest";
import {
  isWarm,
  serveAgain,
  serverNotes,
  type ServerPresence,
} from "../../../src/agents/model_deployer/planning/ways_out/way_back.ts";
import { aDeployment, anEndpoint, aVersion } from "../../support/given/given_facts.ts";

const previous = aDeployment(1, { status: "draining" });
const way = (server: ServerPresence, weights: Record<string, number>) => {
  const given = { server, endpoint: anEndpoint({ weights }), previous, previousVersion: aVersion(1) };
  return { isWarm: isWarm(given), start: serveAgain(given)[1]?.do, notes: serverNotes(given) };
};

test("what hangs with a share of the traffic may have all of it, and the answer says that it hangs", () => {
  const { isWarm, start, notes } = way("unresponsive", { d1: 70, d2: 30 });
  expect(isWarm).toBe(true);
  expect(start).toBeUndefined();
  expect(notes).toEqual(["The server of d1 does not answer now; a worker replaces it if that lasts."]);
});

test("what hangs without traffic gets another server beside it", () => {
  const { isWarm, start, notes } = way("unresponsive", { d2: 100 });
  expect(isWarm).toBe(false);
  expect(start).toMatchObject({ step: "start_server", beside: true, served_before: true });
  expect(notes[0]).toContain("does not answer; it is started again");
});

test("what has no server is started without a sample, which what its model asks may fail", () => {
  const { start } = way("away", { d1: 70, d2: 30 });
  expect(start).toMatchObject({ step: "start_server", served_before: true });
  expect(start).not.toHaveProperty("beside");
});

test("what answers needs nothing", () => {
  expect(way("ready", { d2: 100 })).toEqual({ isWarm: true, start: undefined, notes: [] });
});
