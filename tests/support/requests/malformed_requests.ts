import fc from "fast-check";
import { requestStateSchema } from "../../../src/agents/model_deployer/state/state.ts";
import { hostileValues } from "./hostile_values.ts";
import {
  type Action,
  type Path,
  places,
  requiredFields,
  type Takes,
  validRequests,
} from "./valid_requests.ts";

type State = Record<string, unknown>;

/** How a request is spoilt, as data: it prints, and it shrinks. */
export type Spoiling =
  | { kind: "hostile value"; path: Path; value: string }
  | { kind: "garbage"; path: Path; text: string }
  | { kind: "missing"; field: string }
  | { kind: "unknown field"; field: string }
  | { kind: "unknown field inside"; path: Path; field: string }
  | { kind: "weights that do not rise"; weights: number[] }
  | { kind: "raising accessor"; field: string }
  | { kind: "shared field"; field: string; value: string }
  | { kind: "no object"; value: string };

export interface Malformed {
  action: Action;
  spoiling: Spoiling;
}

/** Where an object is expected, one of another kind is told by what it lacks. */
const OBJECTS = ["shap_analysis", "autoscaling", "rollout"];

const actions = fc.constantFrom<Action>(
  "register",
  "promote",
  "deploy",
  "rollback",
  "remove",
  "restart",
  "update",
  "advance",
);

function isRefused(name: string, takes: Takes): boolean {
  const hostile = hostileValues[name];
  if (hostile === undefined) return false;
  switch (takes) {
    case "nothing":
      return true;
    case "text":
      return hostile.isText !== true;
    case "any text":
      return hostile.isText !== true && !["empty_text", "bell", "long_text"].includes(name);
    case "numbers":
      return hostile.isNumber !== true;
    case "positive numbers":
      return name !== "half";
  }
}

const hostileSpoiling = (action: Action) =>
  fc
    .constantFrom(...places[action])
    .chain(({ path, takes }) =>
      fc
        .constantFrom(...Object.keys(hostileValues).filter((name) => isRefused(name, takes)))
        .map((value): Spoiling => ({ kind: "hostile value", path, value })),
    );

/** Text with something in it that no id, stage, address or amount has. */
const garbage = fc
  .tuple(
    fc.string({ unit: "grapheme" }),
    fc.constantFrom(..."\"'`$&|;<>\\\n\t*?{}[]%#!"),
    fc.string({ unit: "binary" }),
  )
  .map((parts) => parts.join(""));

const garbageSpoiling = (action: Action) =>
  fc
    .tuple(fc.constantFrom(...places[action].filter(({ takes }) => takes === "nothing")), garbage)
    .map(([{ path }, text]): Spoiling => ({ kind: "garbage", path, text }));

const fieldName = fc
  .oneof(fc.stringMatching(/^[a-z_]{3,20}$/), fc.string({ unit: "grapheme", minLength: 1 }))
  .filter((name) => !(name in requestStateSchema.shape) && !(name in Object.prototype));

const fallingWeights = fc
  .array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 })
  .filter(
    (weights) => weights.at(-1) !== 100 || weights.some((weight, i) => weight <= (weights[i - 1] ?? 0)),
  );

function spoilingOf(action: Action): fc.Arbitrary<Spoiling> {
  const field = fc.constantFrom(...requiredFields[action]);
  const inner = fc.constantFrom(["autoscaling"], ["rollout"], ["rollout", "steps", 0], ["rollout", "judge"]);
  const common = [
    { weight: 12, arbitrary: hostileSpoiling(action) },
    { weight: 6, arbitrary: garbageSpoiling(action) },
    { weight: 1, arbitrary: field.map((name): Spoiling => ({ kind: "missing", field: name })) },
    { weight: 2, arbitrary: fieldName.map((name): Spoiling => ({ kind: "unknown field", field: name })) },
    { weight: 1, arbitrary: field.map((name): Spoiling => ({ kind: "raising accessor", field: name })) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom("null", "undefined", "list", "text", "number")
        .map((value): Spoiling => ({ kind: "no object", value })),
    },
  ];
  if (action !== "deploy") return fc.oneof(...common);
  return fc.oneof(
    ...common,
    {
      weight: 2,
      arbitrary: fallingWeights.map((weights): Spoiling => ({ kind: "weights that do not rise", weights })),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(inner, fieldName)
        .map(([path, name]): Spoiling => ({ kind: "unknown field inside", path, field: name })),
    },
  );
}

/** A request that must be refused, whoever asks and whatever stands in the database. */
export const malformedRequests: fc.Arbitrary<Malformed> = actions.chain((action) =>
  spoilingOf(action).map((spoiling) => ({ action, spoiling })),
);

/** Fields that the agents of a pipeline share, which are lists of texts or of objects. */
const sharedSpoiling = fc
  .tuple(
    fc.constantFrom("errors", "warnings", "spans"),
    fc.constantFrom(...Object.keys(hostileValues).filter((name) => name !== "many_texts")),
  )
  .map(([field, value]): Spoiling => ({ kind: "shared field", field, value }));

/** A state that must be refused: for its request, or for what stands beside it. */
export const malformedStates: fc.Arbitrary<Malformed> = fc.oneof(
  { weight: 7, arbitrary: malformedRequests },
  {
    weight: 1,
    arbitrary: fc.tuple(actions, sharedSpoiling).map(([action, spoiling]) => ({ action, spoiling })),
  },
);

export interface MalformedInput {
  /** A state; not always an object, whatever the types say. */
  input: unknown;
  /** Each of them must stand in the refusal. */
  told: string[];
}

export function build({ action, spoiling }: Malformed): MalformedInput {
  const state: State = { deployment_action: action, ...structuredClone(validRequests[action]) };
  switch (spoiling.kind) {
    case "hostile value": {
      const hostile = hostileValues[spoiling.value];
      put(state, spoiling.path, hostile?.make());
      const path = spoiling.path.join(".");
      const looksRight = hostile?.isObject === true && OBJECTS.includes(path);
      return { input: state, told: [looksRight ? path : (hostile?.told ?? "")] };
    }
    case "garbage":
      put(state, spoiling.path, spoiling.text);
      return { input: state, told: [JSON.stringify(spoiling.text).slice(0, 20)] };
    case "missing":
      return { input: without(state, spoiling.field), told: [spoiling.field] };
    case "unknown field":
      return { input: { ...state, [spoiling.field]: 1 }, told: [spoiling.field] };
    case "unknown field inside":
      put(state, [...spoiling.path, spoiling.field], 1);
      return { input: state, told: [spoiling.field] };
    case "weights that do not rise":
      put(
        state,
        ["rollout", "steps"],
        spoiling.weights.map((weight) => ({ weight, bake_seconds: 0 })),
      );
      return { input: state, told: ["rollout.steps"] };
    case "raising accessor":
      return { input: raisingAt(state, spoiling.field), told: ["no such luck"] };
    case "shared field":
      return {
        input: { ...state, [spoiling.field]: hostileValues[spoiling.value]?.make() },
        told: [spoiling.field],
      };
    case "no object":
      return { input: noObjects[spoiling.value], told: [] };
    default:
      return spoiling satisfies never;
  }
}

const noObjects: Readonly<Record<string, unknown>> = {
  null: null,
  undefined: undefined,
  list: [],
  text: "deploy it",
  number: 7,
};

function put(target: object, [key, ...rest]: Path, value: unknown): void {
  if (key === undefined) return;
  const inner: unknown = Reflect.get(target, key);
  if (rest.length > 0 && typeof inner === "object" && inner !== null) put(inner, rest, value);
  else Reflect.set(target, key, value);
}

const without = (state: State, field: string): State =>
  Object.fromEntries(Object.entries(state).filter(([key]) => key !== field));

function raisingAt(state: State, field: string): State {
  const get = () => {
    throw new TypeError("no such luck");
  };
  return Object.defineProperty({ ...state }, field, { enumerable: true, get });
}
