import type { Notice } from "../agents/model_deployer/domain/notices/notices.ts";

/** `candidate_p99_ms` as "candidate p99 ms". */
const nameText = (name: string): string => name.replaceAll("_", " ");

/** Up to four significant digits below a thousand, whole above. */
function numberText(value: number): string {
  return Math.abs(value) >= 1000
    ? Math.round(value).toLocaleString("en-US")
    : String(Number(value.toPrecision(4)));
}

type Fact = readonly [name: string, value: string];

/** The facts that a person reads beside the title, name and value each. */
export function factsOf({ endpoint_name, experiment_id, by, occurred_at, numbers }: Notice): Fact[] {
  const named: (readonly [string, string | null])[] = [
    ["endpoint", endpoint_name],
    ["experiment", experiment_id],
    ["by", by],
    ["at", occurred_at],
  ];
  return [
    ...named.flatMap(([name, value]): Fact[] => (value === null ? [] : [[name, value]])),
    ...Object.entries(numbers).map(([name, value]): Fact => [nameText(name), numberText(value)]),
  ];
}

/** Where the console shows it; null where that is served is not known. */
export function linkOf(
  { operation_id, endpoint_name, kind }: Notice,
  consoleUrl: string | null,
): string | null {
  if (consoleUrl === null) return null;
  const base = consoleUrl.endsWith("/") ? consoleUrl : `${consoleUrl}/`;
  const operation = operation_id === null ? base : `${base}#/operations/${encodeURIComponent(operation_id)}`;
  if (kind.startsWith("approval") || endpoint_name === null) return operation;
  return `${base}#/endpoints/${encodeURIComponent(endpoint_name)}`;
}

/** `rolled back: Roll e2i_exp back ...`, on one line. */
export const subjectOf = ({ kind, title, severity }: Notice): string =>
  `${severity === "act" ? "Act: " : ""}${kind.replaceAll("_", " ")}: ${title}`
    .replaceAll(/\s+/g, " ")
    .slice(0, 200);
