import { z } from "zod";
import {
  deploymentSchema,
  endpointSchema,
  modelVersionSchema,
} from "../agents/model_deployer/domain/entities.ts";
import { rolloutSchema } from "../agents/model_deployer/domain/traffic/rollout.ts";

/** Column lists that match the schemas by name, so that a row needs no mapping beyond being parsed. */
function columnsOf(schema: z.ZodObject, alias: string): string {
  return Object.keys(schema.shape)
    .map((column) => `${alias}.${column}`)
    .join(", ");
}

export const modelVersionColumns = columnsOf(modelVersionSchema, "v");
export const deploymentColumns = columnsOf(deploymentSchema, "d");
export const endpointColumns = columnsOf(endpointSchema, "e");
export const rolloutColumns = columnsOf(rolloutSchema, "r");

/** A subquery that gives one row as jsonb, for `fromJsonb` to read. */
export const rowOf = (columns: string, from: string): string =>
  `(select to_jsonb(x) from (select ${columns} from ${from}) x)`;

/** `pg` sends a list as a Postgres array; a jsonb column needs the text. */
export function json(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

export const idRow = z.strictObject({ id: z.string() });

const utcInstant = /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/;

/** A row that comes as one jsonb value; its instants end in `Z`, as they do when they are read as columns. */
export function fromJsonb<S extends z.ZodObject>(schema: S) {
  const read = (value: unknown) =>
    typeof value === "string" && utcInstant.test(value) ? value.replace("+00:00", "Z") : value;
  return z
    .record(z.string(), z.unknown())
    .transform((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, read(value)])))
    .pipe(schema);
}
