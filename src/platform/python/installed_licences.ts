import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Licence } from "../../agents/model_deployer/domain/models/environment_packages.ts";
import { normalized } from "./requirements/locked_packages.ts";

/** Longer ones are whole texts of licences. */
const LONGEST_NAME = 100;

/** The licences that packages of an environment say of themselves, by name; none for those that say none. */
export async function licencesIn(environment: string): Promise<Map<string, Licence>> {
  const found = new Map<string, Licence>();
  const pattern = "lib/python3.*/site-packages/*.dist-info/METADATA";
  for await (const path of glob(pattern, { cwd: environment })) {
    const text = await readFile(join(environment, path), "utf8").catch(() => "");
    const header = text.split(/\r?\n\r?\n/, 1)[0] ?? "";
    const name = fields(header, "Name")[0];
    const licence = licenceOf(header);
    if (name !== undefined && licence !== null) found.set(normalized(name), licence);
  }
  return found;
}

/** https://packaging.python.org/en/latest/specifications/core-metadata/ */
function licenceOf(header: string): Licence | null {
  const [expression] = fields(header, "License-Expression");
  if (expression !== undefined) return { kind: "expression", text: expression };
  const [own = ""] = fields(header, "License");
  if (own !== "" && own !== "UNKNOWN" && own.length <= LONGEST_NAME) return { kind: "name", text: own };
  const classified = fields(header, "Classifier").flatMap(
    (one) => /^License :: (?:.* :: )?(.+)$/.exec(one)?.[1] ?? [],
  );
  return classified.length === 0 ? null : { kind: "name", text: classified.join(", ") };
}

/** The first line of each. */
function fields(header: string, name: string): string[] {
  return header
    .split(/\r?\n/)
    .flatMap((line) => (line.startsWith(`${name}: `) ? [line.slice(name.length + 2).trim()] : []));
}
