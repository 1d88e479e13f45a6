import type { Scenario, Side } from "./traffic.ts";

const usual = { requests: 100, share: 0.1 };
/** The share that both sides fail when nothing is wrong. */
const USUAL_RATE = 0.007;
const DAY = 600;

/** The first of each `every` seconds, `seconds` long. */
const isOut = (second: number, every: number, seconds: number): boolean => second % every < seconds;

/** Nobody is guilty here: whoever fails a candidate is wrong. */
export const innocent: readonly Scenario[] = [
  ...[0.001, 0.007, 0.05, 0.1, 0.2, 0.4].map((rate) => ({
    ...usual,
    name: `both fail ${(100 * rate).toFixed(1)} %`,
    failureRate: () => rate,
  })),
  {
    ...usual,
    name: "shared outage: 60 % for 5 s of 120",
    failureRate: (second: number) => (isOut(second, 120, 5) ? 0.6 : USUAL_RATE),
  },
  {
    ...usual,
    name: "shared outage: all for 2 s of 120",
    failureRate: (second: number) => (isOut(second, 120, 2) ? 1 : USUAL_RATE),
  },
  {
    ...usual,
    name: "shared outage: all for 60 s of 300",
    failureRate: (second: number) => (isOut(second, 300, 60) ? 1 : USUAL_RATE),
  },
  {
    ...usual,
    name: "drift from 0.7 to 30 %",
    failureRate: (second: number) => USUAL_RATE + (second / DAY) * 0.293,
  },
  {
    ...usual,
    name: "a day's swing, 0.5 to 10 %",
    failureRate: (second: number) => 0.0525 - 0.0475 * Math.cos((2 * Math.PI * second) / DAY),
  },
  {
    ...usual,
    name: "the candidate's cold start of 3 s",
    failureRate: () => USUAL_RATE,
    slowness: (second: number, side: Side) => (side === "candidate" && second <= 3 ? 50 : 1),
  },
  {
    ...usual,
    name: "the baseline turns bad: 20 %",
    failureRate: (second: number, side: Side) => (side === "baseline" && second > 200 ? 0.2 : USUAL_RATE),
  },
  {
    ...usual,
    name: "three retries, 60 % for 20 s of 120",
    retries: 3,
    failureRate: (second: number) => (isOut(second, 120, 20) ? 0.6 : 0.02),
  },
  {
    ...usual,
    name: "callers' bad values: 4xx to 40 % for 30 s of 120",
    failureRate: () => USUAL_RATE,
    refusalRate: (second: number) => (isOut(second, 120, 30) ? 0.4 : 0.01),
  },
  ...[1, 10, 1000, 10_000].map((requests) => ({
    ...usual,
    requests,
    name: `${requests} requests/s, both fail 5 %`,
    failureRate: () => 0.05,
  })),
  {
    ...usual,
    requests: 1,
    name: "1 request/s, all for 60 s of 600",
    failureRate: (second: number) => (isOut(second, 600, 60) ? 1 : USUAL_RATE),
  },
];

export interface Guilty extends Scenario {
  /** Seconds in which it ought to be found, at the median; null where nothing was promised. */
  aim: number | null;
}

const failing =
  (candidate: number, baseline = USUAL_RATE) =>
  (_: number, side: Side) =>
    side === "candidate" ? candidate : baseline;
const percent = (rate: number) => `${(100 * rate).toFixed(rate < 0.01 ? 1 : 0)} %`;

/** From the first second on. */
export const guilty: readonly Guilty[] = [
  ...(
    [
      [1, 2],
      [0.5, 3],
      [0.1, null],
      [0.05, 15],
      [0.02, 60],
    ] as const
  ).map(([rate, aim]) => ({
    ...usual,
    aim,
    name: `fails ${percent(rate)} against ${percent(USUAL_RATE)}`,
    failureRate: failing(rate),
  })),
  { ...usual, aim: null, name: "fails 40 % against 20 %", failureRate: failing(0.4, 0.2) },
  { ...usual, aim: null, name: "fails 100 % in a shared outage of 60 %", failureRate: failing(1, 0.6) },
  ...(
    [
      [3, 5],
      [1.5, 60],
    ] as const
  ).map(([times, aim]) => ({
    ...usual,
    aim,
    name: `${times} times as slow`,
    failureRate: () => USUAL_RATE,
    slowness: (_: number, side: Side) => (side === "candidate" ? times : 1),
  })),
  ...[1, 0.1].map((rate) => ({
    ...usual,
    aim: null,
    name: `4xx to ${percent(rate)} against 1 %`,
    failureRate: () => USUAL_RATE,
    refusalRate: (_: number, side: Side) => (side === "candidate" ? rate : 0.01),
  })),
  { ...usual, aim: null, requests: 1, name: "1 request/s, fails 30 %", failureRate: failing(0.3) },
  { ...usual, aim: null, requests: 1, name: "1 request/s, fails all", failureRate: failing(1) },
];

/** It is watched with all traffic, and turns bad after 100 s. */
export const TURNS_BAD_AT = 100;
export const watched: readonly Scenario[] = [1, 0.3, 0.1, 0.04].map((rate) => ({
  ...usual,
  share: 1,
  name: `fails ${percent(rate)} from second ${TURNS_BAD_AT} on`,
  failureRate: (second: number, side: Side) =>
    side === "candidate" && second > TURNS_BAD_AT ? rate : USUAL_RATE,
}));
