import type { Configuration } from "../configuration.ts";

/** What is in force, for people: no password, key or token in it. */
export function maskedConfiguration(configuration: Configuration): Record<string, string> {
  const entries = Object.entries(configuration).map(([name, value]): [string, string] => [
    name,
    shown(name, value),
  ]);
  return Object.fromEntries(entries);
}

const SECRET = /token|key|password|auth/i;

function shown(name: string, value: unknown): string {
  if (value === null || value === undefined) return "not set";
  if (SECRET.test(name)) return "set, not shown";
  if (typeof value === "string") return withoutSecrets(value);
  return JSON.stringify(value, (key, inner: unknown) => (key === "" ? inner : maskedInside(key, inner)));
}

function maskedInside(name: string, value: unknown): unknown {
  if (value === null) return value;
  if (SECRET.test(name)) return "set, not shown";
  return typeof value === "string" ? withoutSecrets(value) : value;
}

function withoutSecrets(text: string): string {
  if (!URL.canParse(text)) return text;
  const url = new URL(text);
  if (url.password !== "") url.password = "***";
  for (const name of url.searchParams.keys()) if (SECRET.test(name)) url.searchParams.set(name, "***");
  return url.href;
}
