import { z } from "zod";
import { bringsCode, formatSchema, type LoadingReport, reachesOut } from "./loading_report.ts";

/** The most entries of a list that are kept with a version. */
const MOST = 50;
const few = z.array(z.string()).max(MOST);

export const loadingSummarySchema = z.strictObject({
  formats: z.array(formatSchema),
  /** Paths of the pickles, below `model` or `preprocessing`. */
  pickles: few,
  /** Modules that the pickles import from. */
  modules: few,
  /** Imported names by which a pickle can do anything. */
  reaching: few,
  /** Imported names that make functions out of code in the pickle itself. */
  by_value: few,
  trusted_types: few,
  /** Files of which not all is known, each with the reason: `path: reason`. */
  unread: few,
  /** How many more entries there are than the lists have. */
  left_out: z.int().min(0),
});
/** The effects of loading a version's files, as they are kept with it. */
export type LoadingSummary = z.infer<typeof loadingSummarySchema>;

/** Of all that a version is loaded from. */
export function summaryOf(reports: { artifact: string; report: LoadingReport }[]): LoadingSummary {
  const pickles = reports.flatMap(({ artifact, report }) =>
    report.pickles.map((one) => ({ ...one, path: `${artifact}/${one.path}` })),
  );
  const imports = pickles.flatMap((one) => one.imports);
  const whole = {
    pickles: distinct(pickles.map((one) => one.path)),
    modules: distinct(imports.map((name) => name.split(".")[0] ?? name)),
    reaching: distinct(imports.filter(reachesOut)),
    by_value: distinct(imports.filter(bringsCode)),
    trusted_types: distinct(reports.flatMap(({ report }) => report.trusted_types)),
    unread: distinct(
      pickles.flatMap(({ path, problem }) => (problem === null ? [] : [`${path}: ${problem}`])),
    ),
  };
  const cut = Object.fromEntries(Object.entries(whole).map(([name, list]) => [name, list.slice(0, MOST)]));
  return loadingSummarySchema.parse({
    ...cut,
    formats: distinct(reports.flatMap(({ report }) => report.formats)),
    left_out: Object.values(whole).reduce((sum, list) => sum + Math.max(0, list.length - MOST), 0),
  });
}

const distinct = (names: readonly string[]): string[] => [...new Set(names)].sort();
