import { median } from "../support/figures.ts";
import { printTable } from "../support/report.ts";
import type { Round } from "./measured.ts";
import type { Served } from "./servers.ts";

const heading = [
  "",
  "1 conn.",
  "20/s",
  "16 conn.",
  "1,000 rows",
  "p50 ms at 20/s",
  "p99 ms",
  "answers/s, 16",
];
const ofServer = ["MB", "start CPU s", "lost"];

/** A line for each way to ask; what is the server's own stands in its first. */
export function printServed(
  served: readonly Served[],
  rounds: ReadonlyMap<string, ReadonlyMap<string, Round[]>>,
  memory: ReadonlyMap<string, number>,
): void {
  const of = (scenario: string, arm: string, value: (round: Round) => number) => {
    const values = rounds.get(scenario)?.get(arm)?.map(value);
    return values === undefined ? "" : median(values);
  };
  const cpu = ({ cpuMs }: Round) => cpuMs;
  const rows = served.flatMap(({ name, startCpu, arms }) =>
    arms.map(({ name: arm }, index) => {
      const lost = [...rounds.values()].flatMap((ways) => ways.get(arm) ?? []);
      return [
        arm,
        of("1 connection", arm, cpu),
        of("20 a second", arm, cpu),
        of("16 connections", arm, cpu),
        of("1,000 rows", arm, cpu),
        of("20 a second", arm, ({ p50 }) => p50),
        of("20 a second", arm, ({ p99 }) => p99),
        of("16 connections", arm, ({ answers, seconds }) => answers / seconds),
        index === 0 ? (memory.get(name) ?? Number.NaN) : "",
        index === 0 ? startCpu : "",
        String(lost.reduce((sum, round) => sum + round.lost, 0)),
      ];
    }),
  );
  printTable([...heading, ...ofServer], rows);
}
