import fc from "fast-check";

/** Some hundreds in the suite; `npm run test:fuzz` asks for 100,000. */
export const fuzzRuns = (share: number, usual: number): number => {
  const asked = Number(process.env["FUZZ_REQUESTS"] ?? "");
  return Number.isFinite(asked) && asked > 0 ? Math.ceil(asked * share) : usual;
};

/** Words that programs stumble over. */
const odd = fc.constantFrom(
  ...["", " ", "..", "../../etc/passwd", "%2e%2e%2f", "%00", "%", "null", "NaN", "-1", "1e309", "__proto__"],
  ...[
    "constructor",
    "toString",
    "e2i_breast_cancer",
    "mv_1",
    "op_1",
    "'; drop table ml_operations; --",
    "$(id)",
  ],
  ...["\u0000", "\u001b[2J", "\u202e", "\ud800", "Ω", "a".repeat(5000), "--", "-", "=", "?", "#", "\r\nx: y"],
);

export const word: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: odd },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ maxLength: 12 }) },
);

/** Any JSON value, hostile names and sizes included. */
export const anyJson: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.dictionary(word, fc.oneof(word, fc.integer(), fc.double(), fc.constant(null)), { maxKeys: 6 }),
);
