import type { z } from "zod";
import { ConfigurationError } from "../../agents/model_deployer/errors.ts";
import { unreadable } from "./plain_values.ts";

type Environment = Record<string, string | undefined>;

/** Variables whose values may hold a secret. */
const HIDDEN = /TOKEN|KEY|PASSWORD|SECRET|USERNAME|URL|URI|ENDPOINT/;
const LONGEST_VALUE = 40;

/** The refusal of what a schema found wrong in it; no value of a secret is shown. */
export function unusableBy(issues: readonly z.core.$ZodIssue[], given: Environment): ConfigurationError {
  return unusable(issues.map((issue) => problemOf(String(issue.path[0]), issue.message, given)));
}

/** @throws ConfigurationError for what is no value of any setting */
export function refuseUnreadable(given: Environment, shape: z.core.$ZodShape): void {
  const unread = Object.entries(shape).flatMap(([name, schema]) => {
    const why = given[name] === undefined ? null : unreadable(schema, given[name]);
    return why === null ? [] : [problemOf(name, why, given)];
  });
  if (unread.length > 0) throw unusable(unread);
}

function problemOf(name: string, message: string, given: Environment): string {
  const value = given[name];
  if (value === undefined || HIDDEN.test(name)) return `${name}: ${message}`;
  return `${name}: ${message}, not ${JSON.stringify(value.slice(0, LONGEST_VALUE))}; leave it out for its default`;
}

function unusable(problems: string[]): ConfigurationError {
  const message = `The environment is not usable: ${problems.join("; ")}.`;
  return new ConfigurationError(message, { details: { problems } });
}
