import { z } from "zod";
import { RestFailure } from "./rest_failure.ts";

/** One SQL statement with its values; it gives one row whose `body` is the answer's JSON, or none for an empty answer. */
export interface Statement {
  text: string;
  values: unknown[];
}

export interface RestCall {
  method: string;
  url: URL;
  prefer: string;
  body: string;
}

/** A function of the database that a call's names fit, as its catalogue describes it. */
export interface DatabaseFunction {
  parameters: { name: string; type: string }[];
  returns_rows: boolean;
}

const rowSchema = z.record(z.string(), z.json());
const tableRowsSchema = z.union([rowSchema.transform((row) => [row]), z.array(rowSchema).min(1)]);

/** Names of a request become identifiers of a statement, whatever stands in them. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** @throws RestFailure 400 for a filter, an order or a body that the memories do not send */
export function tableStatement(table: string, call: RestCall): Statement {
  if (call.method === "GET") return readStatement(`public.${quoted(table)}`, call.url.searchParams);
  if (call.method === "POST") return insertStatement(`public.${quoted(table)}`, call);
  throw new RestFailure(405, "PGRST117", `${call.method} on a table is not served here: read or insert`);
}

/** Parameters of a request that are no filters of columns. */
const CLAUSES = ["select", "order", "limit", "on_conflict", "columns"];

function readStatement(source: string, asked: URLSearchParams): Statement {
  const values: unknown[] = [];
  const place = (value: unknown) => `$${values.push(value)}`;
  const filters = [...asked]
    .filter(([name]) => !CLAUSES.includes(name))
    .map(([name, condition]) => filter(name, condition, place));
  const parts = [
    `select ${columnList(asked.get("select"))} from ${source}`,
    ...(filters.length === 0 ? [] : [`where ${filters.join(" and ")}`]),
    ...(asked.has("order") ? [`order by ${orderList(asked.get("order") ?? "")}`] : []),
    ...(asked.has("limit") ? [`limit ${place(asked.get("limit"))}::bigint`] : []),
  ];
  return { text: asJson(parts.join(" ")), values };
}

function filter(column: string, condition: string, place: (value: unknown) => string): string {
  if (condition.startsWith("eq.")) return `${quoted(column)} = ${place(condition.slice(3))}`;
  const search = /^wfts\((\w+)\)\.(.*)$/s.exec(condition);
  if (search !== null) {
    const [, config, text] = search;
    return `${quoted(column)} @@ websearch_to_tsquery(${place(config)}::text::regconfig, ${place(text)}::text)`;
  }
  throw new RestFailure(
    400,
    "PGRST100",
    `the filter ${column}=${condition} is not served here: use eq or wfts`,
  );
}

function orderList(order: string): string {
  return order
    .split(",")
    .map((part) => {
      const [column = "", direction = "asc", ...rest] = part.split(".");
      if (rest.length === 0 && /^(asc|desc)$/.test(direction)) return `${quoted(column)} ${direction}`;
      throw new RestFailure(400, "PGRST100", `the order ${part} is not served here: use column.asc or .desc`);
    })
    .join(", ");
}

const columnList = (select: string | null): string =>
  select === null || select === "*" ? "*" : select.split(",").map(quoted).join(", ");

const asJson = (rows: string): string =>
  `select coalesce(json_agg(answer), '[]')::text as body from (${rows}) answer`;

function insertStatement(table: string, { url, prefer, body }: RestCall): Statement {
  const rows = parsedBody(tableRowsSchema, body);
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].map(quoted).join(", ");
  const conflict = url.searchParams.get("on_conflict");
  const isIgnored = conflict !== null && prefer.includes("resolution=ignore-duplicates");
  if (prefer.includes("resolution=merge-duplicates") || prefer.includes("return=representation")) {
    throw new RestFailure(
      400,
      "PGRST100",
      `Prefer: ${prefer} is not served here: insert, or ignore duplicates`,
    );
  }
  const onConflict = isIgnored ? ` on conflict (${columnList(conflict)}) do nothing` : "";
  return {
    text: `insert into ${table} (${names}) select ${names} from json_populate_recordset(null::${table}, $1::json)${onConflict}`,
    values: [JSON.stringify(rows)],
  };
}

/** Finds the function whose parameters have the names that the body gives. */
export function functionLookup(name: string, { body }: RestCall): Statement {
  return {
    text: `select p.proretset as returns_rows,
        (select coalesce(json_agg(json_build_object('name', a.name, 'type', format_type(a.type, null)) order by a.place), '[]')
         from unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[]) with ordinality a(name, type, place)) as parameters
      from pg_proc p where p.pronamespace = 'public'::regnamespace and p.proname = $1
        and (select array_agg(n order by n) from unnest(p.proargnames[1:p.pronargs]) n) =
          (select array_agg(n order by n) from unnest($2::text[]) n)`,
    values: [name, Object.keys(parsedBody(rowSchema, body))],
  };
}

export function callStatement(name: string, found: DatabaseFunction, { url, body }: RestCall): Statement {
  const types = found.parameters.map((one) => `${quoted(one.name)} ${one.type}`).join(", ");
  const given = found.parameters.map((one) => `${quoted(one.name)} => given.${quoted(one.name)}`).join(", ");
  const source = `json_to_record($1::json) as given(${types})`;
  const call = `public.${quoted(name)}(${given})`;
  const rows = `select ${columnList(url.searchParams.get("select"))} from (select answer.* from ${source}, lateral ${call} answer) rows`;
  return {
    text: found.returns_rows ? asJson(rows) : `select to_json(${call})::text as body from ${source}`,
    values: [body],
  };
}

function parsedBody<T>(schema: z.ZodType<T>, body: string): T {
  const parsed = schema.safeParse(jsonOf(body));
  if (parsed.success) return parsed.data;
  throw new RestFailure(
    400,
    "PGRST102",
    `the body is not what is served here: ${z.prettifyError(parsed.error)}`,
  );
}

/** @throws RestFailure 400 for a text that is no JSON */
function jsonOf(body: string): unknown {
  try {
    const value: unknown = JSON.parse(body);
    return value;
  } catch {
    throw new RestFailure(400, "PGRST102", "the body is no JSON");
  }
}
