import { describe, expect, it } from "vitest";
import { InvalidRequestError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { TeamMetrics } from "../../agents/model_deployer/ports/evidence/team_metrics_port.ts";

export interface TeamMetricsSubject {
  metrics: TeamMetrics;
  /** Queries by what they give now. */
  queries: { one: string; none: string; two: string; notANumber: string; malformed: string };
  /** The reading that `one` has. */
  value: number;
  dispose: () => Promise<void>;
}

const options = { signal: new AbortController().signal };

/** The contract of TeamMetrics. */
export function describeTeamMetrics(name: string, make: () => Promise<TeamMetricsSubject>): void {
  const within = (work: (subject: TeamMetricsSubject) => Promise<void>) => async () => {
    const subject = await make();
    await work(subject).finally(() => subject.dispose());
  };
  const now = () => new Date().toISOString();

  describe(`metrics of the team: ${name}`, () => {
    it(
      "reads the one number that a query gives",
      within(async ({ metrics, queries, value }) => {
        await metrics.check(queries.one, options);
        expect(await metrics.read(queries.one, now(), options)).toEqual({ value });
      }),
    );

    it(
      "names what is no number: no data, several series, NaN",
      within(async ({ metrics, queries }) => {
        const problemOf = async (query: string) => {
          const read = await metrics.read(query, now(), options);
          return "problem" in read ? read.problem : expect.fail(`${query} gives ${read.value}`);
        };
        expect(await problemOf(queries.none)).toContain("no data");
        expect(await problemOf(queries.two)).toContain("2 series");
        expect(await problemOf(queries.notANumber)).toContain("NaN");
      }),
    );

    it(
      "refuses what is no query, and what gives several numbers; one without data yet is none of it",
      within(async ({ metrics, queries }) => {
        await expect(metrics.check(queries.malformed, options)).rejects.toThrow(InvalidRequestError);
        await expect(metrics.check(queries.two, options)).rejects.toThrow(/2 series/);
        await metrics.check(queries.none, options);
      }),
    );

    it(
      "answers an aborted call with a typed error",
      within(async ({ metrics, queries }) => {
        const aborted = { signal: AbortSignal.abort() };
        await expect(metrics.read(queries.one, now(), aborted)).rejects.toThrow(ServiceUnavailableError);
        await expect(metrics.check(queries.one, aborted)).rejects.toThrow(ServiceUnavailableError);
      }),
    );
  });
}
