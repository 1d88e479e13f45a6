import { setTimeout as delay } from "node:timers/promises";
import type { HarmCase } from "../../harm/harm_case.ts";
import { harmRow } from "../../harm/harm_row.ts";

const HOUR_S = 3600;
const LOOKS_MS = 5000;

export const clockJumps = harmRow({
  name: "clock-jumps",
  fault:
    "the clock of the worker or of a server is off by an hour, forwards or backwards: liveness is counted by what no clock moves",
  cases: ({ extent }) => [
    ...[HOUR_S, -HOUR_S].map((offset) => worker(offset, extent === "whole")),
    ...[HOUR_S, -HOUR_S].map(server),
  ],
});

const shown = (offset: number) => (offset > 0 ? "an hour fast" : "an hour slow");

function worker(offset: number, rollout: boolean): HarmCase {
  return {
    name: `the worker is ${shown(offset)}`,
    rollout,
    fault: async (world) => {
      await world.startWorker({ clockOffsetMs: offset * 1000 });
      await delay(LOOKS_MS);
      await world.startWorker();
    },
  };
}

function server(offset: number): HarmCase {
  return {
    name: `the server is ${shown(offset)}`,
    fault: async ({ upstream }) => {
      upstream.says({ clock_offset_s: offset });
      await delay(LOOKS_MS);
      upstream.says({});
    },
  };
}
