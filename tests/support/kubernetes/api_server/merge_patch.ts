import { z } from "zod";

/** A merge patch. */
export function merged(
  present: Record<string, unknown>,
  change: Record<string, unknown>,
): Record<string, unknown> {
  const result: Record<string, unknown> = { ...present };
  for (const [key, value] of Object.entries(change)) {
    const inner = z.record(z.string(), z.unknown()).safeParse(value);
    const below = z.record(z.string(), z.unknown()).safeParse(result[key]);
    if (value === null) delete result[key];
    else if (inner.success && !Array.isArray(value)) {
      result[key] = merged(below.success ? below.data : {}, inner.data);
    } else result[key] = value;
  }
  return result;
}

export function valueAt(object: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => {
    const parsed = z.record(z.string(), z.unknown()).safeParse(value);
    return parsed.success ? parsed.data[key] : undefined;
  }, object);
}
