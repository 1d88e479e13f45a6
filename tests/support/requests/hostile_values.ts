/** A value that no request takes, as it may come from a caller who passes JavaScript values and not JSON. */
export interface HostileValue {
  make: () => unknown;
  /** The value as a refusal shows it. */
  told: string;
  /** It is text of an everyday kind, which a free text may be. */
  isText?: true;
  /** It is a finite number. */
  isNumber?: true;
  isObject?: true;
}

const text = (value: string): HostileValue => ({ make: () => value, told: shownText(value), isText: true });
const thing = (make: () => unknown, told: string): HostileValue => ({ make, told });
const object = (make: () => unknown, told: string): HostileValue => ({ make, told, isObject: true });
const poison = (key: string): HostileValue => thing(() => inside(key), `"${key}"`);

function inside(key: string): unknown {
  return JSON.parse(
    `{"feature_importance":[],"samples_analyzed":1,"steps":[],${JSON.stringify(key)}:{"x":1}}`,
  );
}

function nested(levels: number): unknown {
  let value: unknown = "inner";
  for (let level = 0; level < levels; level += 1) value = { inner: value };
  return value;
}

function cyclic(): unknown {
  const self: { self?: unknown } = {};
  self.self = self;
  return self;
}

function shownText(value: string): string {
  return JSON.stringify(value).slice(1, 20).replace(/"$/, "");
}

const accessor = {
  get inner(): string {
    throw new TypeError("no such luck");
  },
};

/** By name, so that a failing example can be read and written down. */
export const hostileValues: Readonly<Record<string, HostileValue>> = {
  nan: thing(() => Number.NaN, "NaN"),
  infinity: thing(() => -Infinity, "Infinity"),
  negative: { make: () => -1, told: "-1", isNumber: true },
  half: { make: () => 0.5, told: "0.5", isNumber: true },
  huge_number: { make: () => 1e308, told: "1e+308", isNumber: true },
  bigint: thing(() => 10n, "10n"),
  true: thing(() => true, "true"),
  symbol: thing(() => Symbol("s"), "Symbol(s)"),
  function: thing(() => () => 1, "Function"),
  date: object(() => new Date(0), "1970-01-01"),
  map: object(() => new Map([["a", 1]]), "Map"),
  set: object(() => new Set([1]), "Set"),
  pattern: object(() => /x/, "/x/"),
  bytes: object(() => new Uint8Array([1, 2]), "Uint8Array"),
  promise: object(() => Promise.resolve("x"), "Promise"),
  list: thing(() => [[1]], "1 ]"),
  empty_text: { make: () => "", told: '""' },
  climbing: text("../x"),
  climbing_within: text("a/../b"),
  newline: text("a\nb"),
  carriage_return: text("a\r\nb"),
  quote: text("it's"),
  double_quote: text('say "x"'),
  sql: text("'; drop table ml_operations; --"),
  slash: text("a b/"),
  shell: text("$(reboot)"),
  emoji: text("\u{1F4A5}"),
  right_to_left: text("\u202eabc"),
  zero_width: text("a\u200bb"),
  /** The second letter is Cyrillic. */
  confusable: text("pr\u043emote"),
  full_width: text("\uff50romote"),
  nul: thing(() => "a\u0000b", "a\\u0000b"),
  bell: thing(() => "a\u0007b", "a\\u0007b"),
  half_a_character: thing(() => "a\ud800", "a\\ud800"),
  long_text: thing(() => "é".repeat(5_000), "éééé"),
  ten_megabytes: thing(() => "2".repeat(10_000_000), "larger than 1048576 bytes"),
  many_texts: thing(() => Array.from({ length: 150_000 }, () => "0123456789"), "larger than 1048576 bytes"),
  too_deep: thing(() => nested(40), "nested deeper than 32 levels"),
  cyclic: thing(cyclic, "nested deeper than 32 levels"),
  raising: thing(() => accessor, "no such luck"),
  live_object: poison("lc"),
  prototype_setter: poison("__proto__"),
  constructor_key: poison("constructor"),
  prototype_key: poison("prototype"),
};
