/** The user and password of an address, as in `postgres://user:password@host`. */
const CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@:"]*:[^\s/@"]*@/gi;

export function withoutCredentials(text: string): string {
  return text.replaceAll(CREDENTIALS, "$1[redacted]@");
}

/** The same for every text in plain objects and lists, however deep; anything else is left as it is. */
export function detailsWithoutCredentials(details: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(details).map(([name, value]) => [name, cleaned(value)]));
}

function cleaned(value: unknown): unknown {
  if (typeof value === "string") return withoutCredentials(value);
  if (Array.isArray(value)) return value.map(cleaned);
  return isPlain(value) ? detailsWithoutCredentials(value) : value;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
