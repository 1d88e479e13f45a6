/** Numbers, times and reasons as people read them. */
import type { EndpointView } from "./api/answer_schemas.ts";

export const percentText = (share: number | null, digits = 1): string =>
  share === null ? "–" : `${(100 * share).toFixed(share !== 0 && share < 0.001 ? 2 : digits)} %`;

export function millisecondsText(value: number | null): string {
  if (value === null) return "–";
  if (value >= 10_000) return `${(value / 1000).toFixed(0)} s`;
  return value >= 1000
    ? `${(value / 1000).toFixed(1)} s`
    : `${value >= 10 ? Math.round(value) : value.toFixed(1)} ms`;
}

export const rateText = (perSecond: number): string =>
  perSecond >= 100 ? perSecond.toFixed(0) : perSecond >= 10 ? perSecond.toFixed(1) : perSecond.toFixed(2);

const UNITS = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
] as const;

/** `2 d 3 h`, `4 min 10 s`, `12 s`. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  for (const [index, [unit, length]] of UNITS.entries()) {
    if (whole < length) continue;
    const [nextUnit, nextLength] = UNITS[index + 1] ?? (["s", 1] as const);
    const rest = Math.floor((whole % length) / nextLength);
    const first = `${Math.floor(whole / length)} ${unit}`;
    return rest === 0 ? first : `${first} ${rest} ${nextUnit}`;
  }
  return `${whole} s`;
}

export const secondsBetween = (from: string, to: number): number => (to - Date.parse(from)) / 1000;

export const agoText = (instant: string, now: number): string =>
  `${durationText(secondsBetween(instant, now))} ago`;

const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
const clock = new Intl.DateTimeFormat(undefined, TIME);
const moment = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", ...TIME });

/** The time of day; with its date where that is not today's. */
export function instantText(instant: string | number | Date, now: number): string {
  const date = new Date(instant);
  return date.toDateString() === new Date(now).toDateString() ? clock.format(date) : moment.format(date);
}

const minuteOfDay = new Intl.DateTimeFormat(undefined, { ...TIME, second: undefined });
const dayOfYear = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** An instant on an axis, as exactly as the distance to the next one asks for. */
export function tickText(tick: Date, distanceMs: number): string {
  if (distanceMs >= DAY_MS) return dayOfYear.format(tick);
  return (distanceMs >= MINUTE_MS ? minuteOfDay : clock).format(tick);
}

/** An e-value, which spans many powers of ten. */
export function evidenceText(value: number | null): string {
  if (value === null) return "–";
  if (value >= 1e6) return value.toExponential(1).replace("e+", " · 10^");
  return value >= 100 ? value.toFixed(0) : value.toPrecision(2);
}

/** `candidate failed 31 of 412` and the like, from the figures that a change was decided by. */
export function figuresText(metrics: Record<string, number>): string | null {
  const failed = (side: "candidate" | "baseline") => {
    const requests = metrics[`${side}_requests`];
    return requests === undefined ? null : `${side} failed ${metrics[`${side}_errors`] ?? 0} of ${requests}`;
  };
  const said = [failed("candidate"), failed("baseline")].filter((one) => one !== null);
  return said.length === 0 ? null : said.join(", ");
}

const ID = /\b(?:rollout|deploy|op|mv)_[0-9a-f-]{16,}/g;

/** The served versions, by deployment id, as a sentence names them. */
export function servedNames({
  traffic,
  mirror,
}: Pick<EndpointView, "traffic" | "mirror">): Record<string, string> {
  const served = mirror === null ? traffic : [...traffic, mirror];
  return Object.fromEntries(served.map(({ deployment_id, version }) => [deployment_id, `v${version}`]));
}

const nameIn = (names: Record<string, string>) => (id: string) =>
  names[id] ?? (id.startsWith("deploy_") ? "another deployment" : "");

/** A sentence with names for the ids in it. */
export const withNames = (text: string, names: Record<string, string>): string =>
  text.replaceAll(ID, nameIn(names));

/** A number and its unit stay on one line. */
export const unbroken = (text: string): string => text.replaceAll(/(\d|[≥≤]) (?=[\d%a-z])/g, "$1\u00a0");

/** A reason as the history keeps it, with names for ids and without the numbers that stand beside it. */
export function reasonText(reason: string, names: Record<string, string> = {}): string {
  return reason
    .replace(/: candidate failed \d+ of .*$/, "")
    .replace(/^rollout rollout_[\w-]+[,:] /, "")
    .replace(/^deploy deploy_\S+( in steps)?/, (_, steps: string | undefined) => `deployed${steps ?? ""}`)
    .replaceAll(ID, nameIn(names))
    .replaceAll(/ {2,}/g, " ")
    .trim();
}
