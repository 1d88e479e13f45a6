import type { DownReport } from "../../../service/machine/machine_schemas.ts";
import type { Paint } from "../terminal/terminal.ts";

const NAMES: Readonly<Record<string, string>> = { postgres: "Postgres", redis: "Redis", mlflow: "MLflow" };
const nameOf = (service: string): string => NAMES[service] ?? service;

/** The sentence on leaving about services that this command started; null where it started none. */
export function goesOnSentence(services: readonly string[]): string | null {
  if (services.length === 0) return null;
  return `${listOfServices(services)} of this home ${services.length === 1 ? "goes" : "go"} on running; "model-deployer down" stops ${services.length === 1 ? "it" : "them"}.`;
}

/** `Postgres, Redis and MLflow` */
export function listOfServices(services: readonly string[]): string {
  const names = services.map(nameOf);
  return names.length === 1 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

type Part = DownReport["stopped"][number];

/** Lists the parts that will be stopped, and those that go on. */
export function downPlanLines({ stopped, going_on }: Plan, paint: Paint): string[] {
  return [
    ...stopped.map((one) => `  ${paint.red("stop")}     ${partText(one)}`),
    ...going_on.map((one) => `  ${paint.green("goes on")}  ${partText(one)}`),
  ];
}
type Plan = Pick<DownReport, "stopped" | "going_on">;

const partText = ({ kind, name, process }: Part): string => {
  const isNamed = kind === "service" || kind === "command";
  const what = isNamed ? nameOf(name) : `the ${kind} ${kind === "router" ? "of " : ""}${name}`;
  return `${what}, process ${process}`;
};

export function downLines(report: DownReport, paint: Paint): string[] {
  const { status, home, how } = report;
  const after = how === null ? [] : [how];
  switch (status) {
    case "declined":
      return ["Nothing was changed."];
    case "nothing":
      return [`Nothing runs in ${home} that this would stop.`, ...downPlanLines(report, paint), ...after];
    case "stopped":
      return [...downPlanLines(report, paint), `${paint.bold("Stopped")}; all data stays.`, ...after];
  }
}
