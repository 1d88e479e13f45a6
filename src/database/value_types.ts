import pg from "pg";

const TIMESTAMPTZ = 1184;
const NUMBERS = new Set([20, 1700]);

/** `2026-01-02 03:04:05.678901+00` as ISO 8601, microseconds kept so that an instant read is the instant stored. */
function isoInstant(text: string): string {
  const parts = /^(\S+) (\S+?)([+-]\d\d)(?::?(\d\d))?$/.exec(text);
  if (parts === null) return text;
  const [, date, time, hours, minutes] = parts;
  return hours === "+00" ? `${date}T${time}Z` : `${date}T${time}${hours}:${minutes ?? "00"}`;
}

/** Instants as ISO text; bigint and numeric as numbers, since ours stay below 2^53. */
export const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: "text" | "binary") => {
    if (format !== "binary" && oid === TIMESTAMPTZ) return isoInstant;
    if (format !== "binary" && NUMBERS.has(oid)) return Number;
    // eslint-disable-next-line @typescript-eslint/no-unsafe-return -- pg types its parsers as any
    return format === "binary" ? pg.types.getTypeParser(oid, "binary") : pg.types.getTypeParser(oid);
  },
};
