import { appendFile, cp, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import {
  checkedRequirements,
  constraintOf,
  type DirectReferences,
  wheelOf,
} from "../../../platform/python/requirements/requirement_lines.ts";
import type { PackageInput } from "../../../agents/model_deployer/ports/model_packager_port.ts";
import { readPythonVersion, readRequirements } from "./artifact_environment.ts";
import { digestArtifact, listArtifact, placeArtifact } from "./bento_artifact.ts";
import type { ServiceSettings } from "../service_settings.ts";

const templateDirectory = fileURLToPath(new URL("../service_template/", import.meta.url));

/** Packages that a server uses besides those of its model: without any of them it answers the same, and slower. */
export const servingRequirements = ["httptools", "msgspec", 'uvloop; sys_platform != "win32"'];

/** The settings of the bento that this input makes. @throws EndpointCreationError when it makes none */
export async function describeBento(
  input: PackageInput,
  direct?: DirectReferences,
): Promise<ServiceSettings> {
  const files = await listArtifact(input.model_path);
  if (!files.some((file) => file.path === "MLmodel")) {
    throw new EndpointCreationError(
      `${input.model_path} has no MLmodel file: the artifact must be a model saved by MLflow`,
    );
  }
  const requirements = new Set(below("model", await readRequirements(input.model_path), direct));
  const preprocessing = input.preprocessing_path;
  if (preprocessing !== null) {
    const environment = ["requirements.txt", "conda.yaml"];
    const isDescribed = (await listArtifact(preprocessing)).some(({ path }) => environment.includes(path));
    const own = isDescribed ? await readRequirements(preprocessing) : [];
    for (const line of below("preprocessing", own, direct)) requirements.add(line);
  }
  const python = await readPythonVersion(input.model_path);
  return {
    bento_tag: input.bento_tag,
    model_name: input.model_name,
    model_version: String(input.version),
    artifact_digest: input.artifact_digest,
    preprocessing_digest: preprocessing === null ? null : await digestArtifact(preprocessing),
    requirements: [...requirements, ...servingRequirements],
    ...(python !== null && { python }),
  };
}

/** The requirements of one artifact, whose wheels are named from the bento's folder. */
function below(folder: string, lines: readonly string[], direct?: DirectReferences): string[] {
  const own = checkedRequirements(lines, direct);
  return own.map((line) => (wheelOf(line) === null ? line : `${folder}/${line.replace(/^\.\//, "")}`));
}

/** Fills a folder with what `bentoml build` makes the bento from. */
export async function writeContext(
  context: string,
  input: PackageInput,
  settings: ServiceSettings,
): Promise<void> {
  await mkdir(dirname(context), { recursive: true });
  const isSource = (path: string) => !path.includes("__pycache__");
  await cp(templateDirectory, context, { recursive: true, filter: isSource });
  await placeArtifact(input.model_path, join(context, "model"));
  if (input.preprocessing_path !== null) {
    await placeArtifact(input.preprocessing_path, join(context, "preprocessing"));
  }
  // Its last entry is `python`. By name they are needed, since BentoML reads no file of them below a dotted folder.
  const named = settings.requirements.filter((line) => wheelOf(line) === null && constraintOf(line) === null);
  await appendFile(join(context, "bentofile.yaml"), `  packages: ${JSON.stringify(named)}\n`);
  await writeFile(join(context, "service.json"), `${JSON.stringify(settings, null, 2)}\n`);
}
