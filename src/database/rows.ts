import { z } from "zod";
import {
  deploymentSchema,
  endpointSchema,
  modelVersionSchema,
} from "../agents/model_deployer/domain/entities.ts";
import { rolloutSchema } from "../agents/model_deployer/domain/rollout.ts";

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

/** `pg` sends a list as a Postgres array; a jsonb column needs the text. */
export function json(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

export const idRow = z.strictObject({ id: z.string() });
