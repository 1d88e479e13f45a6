import { inRotation } from "../support/figures.ts";
import { type Asked, closedLoad, type Load, steadyLoad } from "./load.ts";
import { cpuSeconds, sharedOutMegabytes } from "./processes.ts";
import { type Arm, processesOf, type Served } from "./servers.ts";

export interface Round extends Load {
  /** Of all the server's processes for one request, in milliseconds. */
  cpuMs: number;
}

export interface Scenario {
  name: string;
  hasManyRows: boolean;
  run: (asked: Asked) => Promise<Load>;
}

/** The kinds of load, each for so many seconds. */
export function scenariosOf(seconds: number): Scenario[] {
  const closed = (connections: number, least: number) => (asked: Asked) =>
    closedLoad(asked, { connections, seconds, least });
  return [
    { name: "1 connection", hasManyRows: false, run: closed(1, 20) },
    { name: "16 connections", hasManyRows: false, run: closed(16, 64) },
    {
      name: "20 a second",
      hasManyRows: false,
      run: (asked) => steadyLoad(asked, { perSecond: 20, seconds: 2 * seconds }),
    },
    { name: "1,000 rows", hasManyRows: true, run: closed(1, 10) },
  ];
}

/** Each arm's rounds by the scenario's name, the arms measured in turn. */
export async function measureArms(
  served: readonly Served[],
  rows: readonly (readonly number[])[],
  scenarios: readonly Scenario[],
  rounds: number,
): Promise<Map<string, Map<string, Round[]>>> {
  const measured = new Map<string, Map<string, Round[]>>();
  for (const scenario of scenarios) {
    const arms = served.flatMap(({ arms: ways }) =>
      ways.flatMap((arm) => {
        const form = scenario.hasManyRows ? arm.many : arm.one;
        if (form === null) return [];
        const body = JSON.stringify(form.body(scenario.hasManyRows ? rows : rows.slice(0, 1)));
        const asked = { url: arm.url, path: form.path, body };
        return [{ name: arm.name, run: () => measureRound(arm, asked, scenario) }];
      }),
    );
    // The first requests of a form may cost more than those that follow.
    for (const { run } of arms) await run();
    measured.set(scenario.name, await inRotation(rounds, arms));
  }
  return measured;
}

async function measureRound({ marks }: Arm, asked: Asked, { run }: Scenario): Promise<Round> {
  const before = await cpuSeconds(await processesOf(marks));
  const load = await run(asked);
  const spent = (await cpuSeconds(await processesOf(marks))) - before;
  return { ...load, cpuMs: (spent * 1000) / Math.max(1, load.answers + load.lost) };
}

/** MB of each server after all that it was asked. */
export async function memoryOf(served: readonly Served[]): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const { name, marks } of served) sizes.set(name, await sharedOutMegabytes(await processesOf(marks)));
  return sizes;
}
