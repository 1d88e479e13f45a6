import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import { isMissing } from "../../../platform/system_errors.ts";

/** The environment that a model was logged under, as its artifact has it. */

const releaseSchema = z.string().regex(/^3\.\d+(\.\d+)?$/);
const pythonEnvironmentSchema = z.object({ python: releaseSchema });
const condaSchema = z.object({
  dependencies: z.array(z.union([z.string(), z.object({ pip: z.array(z.string()) })])),
});
/** Packages that conda brings for pip itself. */
const INSTALLERS = /^(python|pip|setuptools|wheel)\b/;

/** The Python that `python_env.yaml` names, which MLflow writes beside a model, else `conda.yaml`; null where neither does. */
export async function readPythonVersion(directory: string): Promise<string | null> {
  const text = await textIn(directory, "python_env.yaml");
  if (text !== null) return pythonEnvironmentSchema.safeParse(parsed(text)).data?.python ?? null;
  const named = (await readConda(directory))?.conda.map((line) => /^python\s*=+\s*(\S+)$/.exec(line)?.[1]);
  return releaseSchema.safeParse(named?.find((version) => version !== undefined)).data ?? null;
}

/**
 * The packages in the artifact's `requirements.txt`, or in the `conda.yaml` of a model that has nothing else. Each line of a
 * constraints file that they name is one of `-c`, which asks for no package and bounds those that something needs.
 *
 * @throws EndpointCreationError without either, and for packages that only conda has
 */
export async function readRequirements(directory: string): Promise<string[]> {
  const text = await textIn(directory, "requirements.txt");
  const lines = text === null ? await ofConda(directory) : withoutComments(text);
  const constraints = /^(-c|--constraint)[ =]\s*constraints\.txt$/;
  if (!lines.some((line) => constraints.test(line))) return lines;
  const more = await textIn(directory, "constraints.txt");
  if (more === null) {
    throw new EndpointCreationError("the model's requirements name a constraints.txt that is missing");
  }
  const bounds = withoutComments(more).map((line) => `-c ${line}`);
  return [...lines.filter((line) => !constraints.test(line)), ...bounds];
}

async function ofConda(directory: string): Promise<string[]> {
  const found = await readConda(directory);
  if (found === null) {
    throw new EndpointCreationError(
      "the model has no requirements.txt, so its environment is unknown: save it with MLflow 2 or newer",
    );
  }
  const others = found.conda.filter((line) => !INSTALLERS.test(line));
  if (others.length === 0) return found.pip;
  throw new EndpointCreationError(
    `the model has no requirements.txt, and its conda.yaml names ${others.slice(0, 4).join(", ")} as conda's: list them below pip, or save the model with MLflow 2 or newer`,
    { details: { packages: others } },
  );
}

async function readConda(directory: string): Promise<{ conda: string[]; pip: string[] } | null> {
  const text = await textIn(directory, "conda.yaml");
  const told = text === null ? undefined : condaSchema.safeParse(parsed(text)).data;
  if (told === undefined) return null;
  const conda = told.dependencies.filter((one) => typeof one === "string").map((line) => line.trim());
  return { conda, pip: told.dependencies.flatMap((one) => (typeof one === "string" ? [] : one.pip)) };
}

/** Undefined for what is no YAML. */
function parsed(text: string): unknown {
  try {
    return parse(text, { schema: "failsafe" });
  } catch {
    return undefined;
  }
}

async function textIn(directory: string, name: string): Promise<string | null> {
  return readFile(join(directory, name), "utf8").catch((cause: unknown) => {
    if (isMissing(cause)) return null;
    throw new EndpointCreationError(`the model's ${name} cannot be read: fetch it again`, { cause });
  });
}

/** A line that ends with a backslash goes on in the next one. */
function withoutComments(text: string): string[] {
  return text
    .replaceAll(/\\\r?\n/g, " ")
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "");
}
