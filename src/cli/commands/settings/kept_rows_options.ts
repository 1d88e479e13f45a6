import {
  type KeptRowSettings,
  keptRowSettingsSchema,
  usualKeptRows,
} from "../../../agents/model_deployer/domain/evidence/kept_rows.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import { numberIn } from "../../number_options.ts";

interface Options {
  rows?: string | undefined;
  hide?: string | undefined;
  hash?: string | undefined;
}

/** The policy's settings, with those that the command names in their place. @throws InvalidRequestError */
export function keptRowsOf(
  before: KeptRowSettings | null,
  { rows, hide, hash }: Options,
): KeptRowSettings | null {
  const isNamed = hide !== undefined || hash !== undefined;
  if (rows === "none" || (rows === undefined && !isNamed)) return rows === "none" ? null : before;
  if (rows === undefined && before === null) {
    throw new InvalidRequestError("--hide and --hash need rows that are kept: name --rows <sample> as well.");
  }
  const known = keptRowSettingsSchema.safeParse({
    ...usualKeptRows,
    ...before,
    ...(rows === undefined ? {} : sampleOf(rows)),
    ...(hide === undefined ? {} : { hidden: fieldsOf(hide) }),
    ...(hash === undefined ? {} : { hashed: fieldsOf(hash) }),
  });
  if (known.success) return known.data;
  const why = known.error.issues.map(({ path, message }) => [...path, message].join(": ")).join("; ");
  throw new InvalidRequestError(
    `--rows ${rows ?? ""}: ${why}. Write a share such as 0.01, or none, and after a share ,most=<count>,on_errors=refuse or tell.`,
  );
}

function sampleOf(given: string): Record<string, unknown> {
  const [sample = "", ...others] = given.split(",");
  const named = others.map((part): [string, unknown] => {
    const [name = "", value = ""] = part.split("=");
    return [name, name === "on_errors" ? value : numberIn(value)];
  });
  return { sample: numberIn(sample), ...Object.fromEntries(named) };
}

const fieldsOf = (given: string): string[] =>
  given === "none" ? [] : given.split(",").map((one) => one.trim());
