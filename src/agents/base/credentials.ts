/** The user and password of an address, as in `postgres://user:password@host`; a password may hold an `@` of its own. */
const CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@:"]*:[^\s/"]*@/gi;
/** Credentials that an address carries as parameters. */
const PARAMETERS = /([?&](?:password|secret|token|access_token|api_?key)=)[^\s&#"]+/gi;

export function withoutCredentials(text: string): string {
  return text.replaceAll(CREDENTIALS, "$1[redacted]@").replaceAll(PARAMETERS, "$1[redacted]");
}

/** A client library's error may hold objects that point back at the error itself. */
const DEPTH_IN_ERRORS = 3;

/**
 * The same for an error with all its causes, hidden fields too. They are changed in place, for whoever asks an error for its
 * class or code has to find them as they are; anything else is copied as `detailsWithoutCredentials` does.
 */
export function causeWithoutCredentials(cause: unknown): unknown {
  clean(cause, new Set());
  return cause instanceof Error ? cause : cleaned(cause, DEPTH_IN_ERRORS);
}

function clean(error: unknown, seen: Set<unknown>): void {
  if (!(error instanceof Error) || seen.has(error)) return;
  seen.add(error);
  for (const key of Reflect.ownKeys(error)) {
    const field = Object.getOwnPropertyDescriptor(error, key);
    const value: unknown = field?.value;
    if (value instanceof Error) clean(value, seen);
    else if (Array.isArray(value) && value.some((one) => one instanceof Error)) {
      for (const one of value) clean(one, seen);
    } else if (field?.writable === true) {
      const safe = cleaned(value, DEPTH_IN_ERRORS);
      if (safe !== value) Reflect.set(error, key, safe);
    }
  }
}

/** The same for every text in plain objects and lists, however deep; anything else is left as it is. */
export function detailsWithoutCredentials(details: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(details).map(([name, value]) => [name, cleaned(value)]));
}

function cleaned(value: unknown, depth = Infinity): unknown {
  if (typeof value === "string") return withoutCredentials(value);
  if (depth === 0) return value;
  if (Array.isArray(value)) return value.map((one) => cleaned(one, depth - 1));
  if (!isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, cleaned(one, depth - 1)]));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
