import { createHash } from "node:crypto";
import { z } from "zod";
import {
  LATENCY_BOUNDS_MS,
  type VersionFigures,
} from "../../agents/model_deployer/domain/evidence/figures.ts";
import { parsedJson } from "../../platform/parsed_json.ts";

/** The counts of one process for one deployment. */
export interface DeploymentCounts extends Omit<VersionFigures, "epoch"> {
  /** The generation that added the deployment. */
  added_in: number;
}

/** One process's counts, by its run. */
export interface CountsOfRun {
  run: string;
  counts: DeploymentCounts[];
}

const countSchema = z.int().min(0);
const baseSchema = z.object({
  added_in: z.int(),
  requests: countSchema,
  errors: countSchema,
  timeouts: countSchema,
  resets: countSchema,
  client_errors: countSchema,
  given_up: countSchema.default(0),
  latency_counts: z.array(countSchema),
});
type Base = z.infer<typeof baseSchema>;

/** Where the counts begin, by run and deployment: what each run that stayed had counted when another one went. */
export const noteSchema = z.object({
  /** Names the counts' life; another one begins where a run goes. */
  life: z.string(),
  runs: z.array(z.string()),
  /** Runs that went and may come back, newest last. */
  gone: z.array(z.string()).default([]),
  bases: z.record(z.string(), z.record(z.string(), baseSchema)),
});
export type FiguresNote = z.infer<typeof noteSchema>;

export function readNote(text: string): FiguresNote | null {
  return noteSchema.safeParse(parsedJson(text)).data ?? null;
}

const REMEMBERED_RUNS = 100;

/**
 * The note for these runs where the kept one is for others; null where it holds. A run that comes adds its counts. With a
 * run that goes, its counts go, and the runs that stay count from there on. A run that comes back counts from there on too.
 */
export function nextNote(kept: FiguresNote | null, present: readonly CountsOfRun[]): FiguresNote | null {
  const runs = present.map(({ run }) => run).sort();
  if (kept === null) return { life: lifeOf("", runs), runs, gone: [], bases: {} };
  const back = present.filter(({ run }) => kept.gone.includes(run));
  const gone = kept.gone.filter((run) => !runs.includes(run));
  if (kept.runs.every((run) => runs.includes(run))) {
    if (runs.length === kept.runs.length) return null;
    return { ...kept, runs, gone, bases: { ...kept.bases, ...basesOf(back) } };
  }
  const stayed = present.filter(({ run }) => kept.runs.includes(run));
  const left = kept.runs.filter((run) => !runs.includes(run));
  return {
    life: lifeOf(kept.life, runs),
    runs,
    gone: [...gone, ...left].slice(-REMEMBERED_RUNS),
    bases: basesOf([...stayed, ...back]),
  };
}

/** A note that leaves out all that these runs have counted until now. */
export function noteFrom(present: readonly CountsOfRun[], named: string): FiguresNote {
  const runs = present.map(({ run }) => run).sort();
  return { life: lifeOf(named, runs), runs, gone: [], bases: basesOf(present) };
}

function lifeOf(former: string, runs: readonly string[]): string {
  return createHash("sha256")
    .update([former, ...runs].join())
    .digest("hex")
    .slice(0, 16);
}

function basesOf(present: readonly CountsOfRun[]): FiguresNote["bases"] {
  return Object.fromEntries(
    present.map(({ run, counts }) => [
      run,
      Object.fromEntries(counts.map((one) => [one.deployment_id, baseOf(one)])),
    ]),
  );
}

function baseOf(one: DeploymentCounts): Base {
  const {
    added_in,
    requests,
    errors,
    timeouts = 0,
    resets = 0,
    client_errors = 0,
    given_up = 0,
    latency_counts = [],
  } = one;
  return { added_in, requests, errors, timeouts, resets, client_errors, given_up, latency_counts };
}

/** The sums of all Envoys since the note; they only grow while it holds, and another note is another epoch. */
export function combinedFigures(note: FiguresNote, present: readonly CountsOfRun[]): VersionFigures[] {
  const ids = new Set(present.flatMap(({ counts }) => counts.map((one) => one.deployment_id)));
  return [...ids]
    .sort()
    .map((id) => {
      const parts = present.flatMap(({ run, counts }) =>
        counts
          .filter((one) => one.deployment_id === id)
          .map((one) => since(one, note.bases[run]?.[id] ?? null)),
      );
      return sumOf(id, note.life, parts);
    })
    .filter(({ requests, given_up = 0 }) => requests + given_up > 0);
}

/** A deployment that was added anew has counters that began anew. */
function since(one: DeploymentCounts, kept: Base | null): DeploymentCounts {
  if (kept?.added_in !== one.added_in) return one;
  const less = (now = 0, then = 0) => Math.max(0, now - then);
  return {
    ...one,
    requests: less(one.requests, kept.requests),
    errors: less(one.errors, kept.errors),
    timeouts: less(one.timeouts, kept.timeouts),
    resets: less(one.resets, kept.resets),
    client_errors: less(one.client_errors, kept.client_errors),
    given_up: less(one.given_up, kept.given_up),
    latency_counts: (one.latency_counts ?? []).map((count, bin) => less(count, kept.latency_counts[bin])),
  };
}

function sumOf(deployment_id: string, life: string, parts: readonly DeploymentCounts[]): VersionFigures {
  const sum = (of: (one: DeploymentCounts) => number | undefined) =>
    parts.reduce((total, one) => total + (of(one) ?? 0), 0);
  const latency_counts = Array.from({ length: LATENCY_BOUNDS_MS.length + 1 }, (_, bin) =>
    sum((one) => one.latency_counts?.[bin]),
  );
  const added_in = Math.min(...parts.map((one) => one.added_in));
  return {
    deployment_id,
    epoch: `${life}/${added_in}`,
    requests: sum((one) => one.requests),
    errors: sum((one) => one.errors),
    timeouts: sum((one) => one.timeouts),
    resets: sum((one) => one.resets),
    client_errors: sum((one) => one.client_errors),
    given_up: sum((one) => one.given_up),
    in_flight: sum((one) => one.in_flight),
    p50_ms: quantileBound(latency_counts, 0.5),
    p99_ms: quantileBound(latency_counts, 0.99),
    latency_counts,
  };
}

/** The upper bound of the bin that holds the quantile, so that it is never below the true one; null without answers. */
function quantileBound(counts: readonly number[], quantile: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let below = 0;
  for (const [bin, count] of counts.entries()) {
    below += count;
    if (below >= quantile * total) return LATENCY_BOUNDS_MS[bin] ?? 2 * (LATENCY_BOUNDS_MS.at(-1) ?? 0);
  }
  return null;
}
