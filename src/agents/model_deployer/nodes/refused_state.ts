import type { z } from "zod";
import type { AgentErrorOptions } from "../../base/agent_error.ts";
import { InvalidRequestError } from "../errors.ts";
import { valueText } from "../state/value_text.ts";

const MAXIMUM_BYTES = 1024 * 1024;
const MAXIMUM_DEPTH = 32;
/** `lc` would come back from a checkpoint as a live object; the others change prototypes. */
const POISONED_KEYS = new Set(["lc", "__proto__", "constructor", "prototype"]);

/** @throws InvalidRequestError with every problem and its field */
export function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, value));
  const options: AgentErrorOptions = { cause: result.error, details: { problems } };
  throw new InvalidRequestError(`The request is not valid: ${problems.join("; ")}.`, options);
}

function problemsOf(issue: z.core.$ZodIssue, value: unknown): string[] {
  const inside = insideOf(issue);
  if (inside.length > 0) {
    return inside.flatMap((inner) => problemsOf({ ...inner, path: [...issue.path, ...inner.path] }, value));
  }
  const found = issue.path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
  const where = issue.path.length === 0 ? "state" : issue.path.join(".");
  const given = found === undefined || issue.path.length === 0 ? "" : ` (given ${valueText(found)})`;
  return [`${where}: ${expectationOf(issue)}${given}`];
}

/** Problems inside the member of a union that has the value's shape; none where no member has. */
function insideOf(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [];
  return issue.errors.find((member) => member.some((inner) => inner.path.length > 0)) ?? [];
}

/** A union's own issue only says that no member fits; those of its members say what each expects. */
function expectationOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return issue.message;
  return issue.errors.map((inner) => inner.map((one) => one.message).join(", ")).join(", or ");
}

/** Refuses what no caller's JSON has: too large or deep, or with keys and text that do harm later. @throws InvalidRequestError */
export function refusePoison(state: Record<string, unknown>): void {
  let budget = MAXIMUM_BYTES;
  const visit = (value: unknown, path: string, depth: number): void => {
    if (depth > MAXIMUM_DEPTH) {
      throw new InvalidRequestError(
        `${path} is nested deeper than ${MAXIMUM_DEPTH} levels; hand over a flatter state.`,
      );
    }
    budget -= typeof value === "string" ? value.length + 2 : 8;
    if (budget < 0) {
      throw new InvalidRequestError(
        `The state is larger than ${MAXIMUM_BYTES} bytes; hand over ids and summaries, not artifacts.`,
      );
    }
    if (typeof value === "string" && (!value.isWellFormed() || value.includes("\u0000"))) {
      throw new InvalidRequestError(
        `${path}: text without control characters or lone surrogates (given ${valueText(value)}).`,
      );
    }
    if (typeof value !== "object" || value === null) return;
    for (const key of Reflect.ownKeys(value)) {
      if (typeof key === "symbol" || POISONED_KEYS.has(key)) {
        throw new InvalidRequestError(`${path} has the forbidden key ${valueText(String(key))}; remove it.`);
      }
      budget -= key.length + 3;
      visit(Reflect.get(value, key), path === "" ? key : `${path}.${key}`, depth + 1);
    }
  };
  visit(state, "", 0);
}
