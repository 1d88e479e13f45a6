import { StateSchema, type StateSchemaFields } from "@langchain/langgraph";
import { z } from "zod";
import { InvalidRequestError } from "../errors.ts";
import { valueText } from "./value_text.ts";

/** LangGraph's plain error for an invalid field; its message ends in the issues that the field's schema found. */
const REFUSED_FIELD = /^Validation failed for field "(.+?)": (.+)$/s;
const issuesSchema = z.array(
  z.looseObject({ message: z.string(), path: z.array(z.union([z.string(), z.number()])).default([]) }),
);
const MOST_PROBLEMS = 5;

/**
 * A state that refuses invalid fields by a typed error. LangGraph validates it before the first node runs and before
 * anything is stored, so that the thread stays as it was.
 */
export class CheckedState<Fields extends StateSchemaFields> extends StateSchema<Fields> {
  /** @throws InvalidRequestError with the field, its value and what was expected */
  override async validateInput<T>(data: T): Promise<T> {
    if (typeof data !== "object" || Array.isArray(data)) {
      throw new InvalidRequestError(
        `The state is ${valueText(data)}; hand over an object of plain JSON values.`,
      );
    }
    try {
      const checked = await super.validateInput(data);
      readThrough(checked, new Set());
      return checked;
    } catch (error) {
      throw refusalOf(data ?? {}, error);
    }
  }
}

/** Reads the value through, so that an accessor that raises does it here and not in a checkpointer. */
function readThrough(value: unknown, seen: Set<object>): void {
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  for (const part of Object.values(value)) readThrough(part, seen);
}

function refusalOf(data: object, cause: unknown): InvalidRequestError {
  const said = cause instanceof Error ? cause.message : String(cause);
  const [, field, issues] = REFUSED_FIELD.exec(said) ?? [];
  if (field === undefined || issues === undefined) {
    const message = `The state cannot be read: ${said.slice(0, 200)}. Hand over plain JSON values.`;
    return new InvalidRequestError(message, { cause });
  }
  const problems = issuesSchema
    .parse(JSON.parse(issues))
    .map(({ path, message }) => `${[field, ...path].join(".")}: ${message}`);
  const told = problems.slice(0, MOST_PROBLEMS).join("; ");
  const message = `The state is not valid: ${told} (given ${valueText(Reflect.get(data, field))}).`;
  return new InvalidRequestError(message, {
    cause,
    details: { problems: problems.slice(0, MOST_PROBLEMS) },
  });
}
