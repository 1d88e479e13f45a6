import type {
  MetricReading,
  MetricReadings,
  MetricSettings,
  SideReading,
} from "../../domain/evidence/team_metrics.ts";
import type { Draw } from "../statistics/random_draw.ts";

/** What can be worked out of readings: values of a size that can be kept, and counts of which one is a part. */

/** Beyond this size the square of a difference is no number that JSON can hold. */
const LARGEST = 1e100;

export function comparable(read: MetricReadings[string] | undefined): MetricReadings[string] | undefined {
  const withinSize = (one: MetricReading): MetricReading =>
    "value" in one && Math.abs(one.value) > LARGEST
      ? { problem: `${one.value} is too large to be compared` }
      : one;
  const side = ({ reading, of }: SideReading): SideReading => ({
    reading: withinSize(reading),
    of: of === null ? null : withinSize(of),
  });
  return read === undefined ? undefined : { candidate: side(read.candidate), baseline: side(read.baseline) };
}

export const valueOf = ({ reading }: SideReading): number | null =>
  "value" in reading ? reading.value : null;

export interface MarkedCount {
  marked: number;
  all: number;
}

/** The worse ones of all; null where a number is missing, or is no count. */
export function markedCountOf({ reading, of }: SideReading, { worse }: MetricSettings): MarkedCount | null {
  if (!("value" in reading) || of === null || !("value" in of)) return null;
  const all = Math.round(of.value);
  const part = Math.round(reading.value);
  if (part < 0 || all < 0 || part > all) return null;
  return { marked: worse === "higher" ? part : all - part, all };
}

/** The evidence of a draw takes a step for each count. */
const MOST_COUNTED = 100_000;

/** Counts of bytes, say, are taken for as many fewer as can be worked out: that can only weaken what they show. */
export function drawOf(candidate: MarkedCount, baseline: MarkedCount): Draw {
  const factor = Math.min(1, MOST_COUNTED / Math.max(1, candidate.all + baseline.all));
  const [own, other] = [candidate, baseline].map(({ all }) => Math.round(all * factor));
  const drawn = own ?? 0;
  const marked = Math.min(drawn, Math.floor(candidate.marked * factor));
  const others = Math.min(other ?? 0, Math.ceil(baseline.marked * factor));
  return { all: drawn + (other ?? 0), allMarked: marked + others, drawn, marked };
}
