import { NotFoundError } from "../../agents/model_deployer/errors.ts";
import type { DeployerDatabase } from "../../database/index.ts";

/** The answer to a name that no experiment has, with those that come nearest. */
export async function unknownExperiment(
  name: string,
  { overview }: Pick<DeployerDatabase, "overview">,
): Promise<NotFoundError> {
  const known = (await overview.experiments()).map((one) => one.experiment_id);
  return unknown("Experiment", name, known, "experiments list shows those that do");
}

/** The same for an endpoint. */
export async function unknownEndpoint(
  name: string,
  { endpoints }: Pick<DeployerDatabase, "endpoints">,
): Promise<NotFoundError> {
  const known = (await endpoints.list()).map((one) => one.endpoint_name);
  return unknown("Endpoint", name, known, "status lists those that do");
}

/** The same for what may be either. */
export async function unknownSubject(
  name: string,
  { overview, endpoints }: Pick<DeployerDatabase, "overview" | "endpoints">,
): Promise<NotFoundError> {
  const [experiments, known] = await Promise.all([overview.experiments(), endpoints.list()]);
  const names = [...known.map((one) => one.endpoint_name), ...experiments.map((one) => one.experiment_id)];
  return unknown("Endpoint or experiment", name, names, "status and experiments list show those that do");
}

function unknown(what: string, name: string, known: readonly string[], list: string): NotFoundError {
  const near = nearest(name, known);
  const meant = near.length === 0 ? "" : ` Did you mean ${near.join(" or ")}?`;
  return new NotFoundError(`${what} ${name} does not exist; ${list}.${meant}`, {
    details: { nearest: near },
  });
}

const MOST_NAMES = 3;

/** Those that differ in at most two fifths of their characters, or hold the name; the nearest first. */
export function nearest(name: string, known: readonly string[]): string[] {
  return known
    .map((one) => ({ one, edits: one.includes(name) ? 0 : distance(name, one) }))
    .filter(({ one, edits }) => edits <= Math.max(name.length, one.length) * 0.4)
    .sort((a, b) => a.edits - b.edits || (a.one < b.one ? -1 : 1))
    .slice(0, MOST_NAMES)
    .map(({ one }) => one);
}

/** Edits that make one text the other: Levenshtein, by Wagner and Fischer, https://doi.org/10.1145/321796.321811. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [above, character] of [...one].entries()) {
    const next = [above + 1];
    for (const [index, wanted] of [...other].entries()) {
      const replaced = (row[index] ?? 0) + (character === wanted ? 0 : 1);
      next.push(Math.min(replaced, (row[index + 1] ?? 0) + 1, (next[index] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
