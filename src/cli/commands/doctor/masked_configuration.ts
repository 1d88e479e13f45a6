import type { Configuration } from "../../../wiring/settings/configuration.ts";

/** The configuration in force, for people: no password, key or token in it. */
export function maskedConfiguration(configuration: Configuration): Record<string, string> {
  const entries = Object.entries(configuration).flatMap(([name, value]) => maskedLines(name, value));
  return Object.fromEntries(entries);
}

/** Nested settings are listed one by one, as `telemetry.logLevel`; a secret name hides everything under it. */
function maskedLines(name: string, value: unknown): [string, string][] {
  if (typeof value !== "object" || value === null || SECRET.test(name)) return [[name, shown(name, value)]];
  return Object.entries(value).flatMap(([inner, one]) => maskedLines(`${name}.${inner}`, one));
}

const SECRET = /token|key|password|secret|auth/i;

function shown(name: string, value: unknown): string {
  if (value === null || value === undefined) return "not set";
  if (SECRET.test(name)) return "set, not shown";
  if (typeof value === "string") return withoutSecrets(value);
  return JSON.stringify(value);
}

function withoutSecrets(text: string): string {
  if (!URL.canParse(text)) return text;
  const url = new URL(text);
  if (url.password !== "") url.password = "***";
  for (const name of url.searchParams.keys()) if (SECRET.test(name)) url.searchParams.set(name, "***");
  return url.href;
}
