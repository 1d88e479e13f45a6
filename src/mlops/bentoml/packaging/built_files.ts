import { join } from "node:path";
import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import { digestOfFiles } from "../../shared/artifact_digest.ts";
import { hashArtifact } from "./bento_artifact.ts";
import type { StoredBento } from "./bento_store.ts";

/**
 * Refuses a bento whose model or preprocessing is no longer the files that it was built from.
 *
 * @throws EndpointCreationError with both digests and the way out
 */
export async function assertBuiltFiles({ path, settings }: StoredBento): Promise<void> {
  const folders = [
    ["model", settings.artifact_digest],
    ["preprocessing", settings.preprocessing_digest],
  ] as const;
  for (const [folder, built] of folders) {
    if (built === null) continue;
    const found = await digestBeside(join(path, "src", folder), built);
    if (found === built) continue;
    throw new EndpointCreationError(
      `bento ${settings.bento_tag} was changed: its ${folder} has the digest ${found}, and was built from ${built}: ` +
        `remove ${path}, and it is built again from the registered files`,
      { details: { bento_tag: settings.bento_tag, folder, found, built } },
    );
  }
}

/** Python writes `__pycache__` beside a model's own code when it is first served; where the built files had none, it is left out. */
async function digestBeside(folder: string, built: string): Promise<string> {
  const files = await hashArtifact(folder);
  const whole = digestOfFiles(files);
  if (whole === built) return whole;
  return digestOfFiles(files.filter(({ path }) => !path.split("/").includes("__pycache__")));
}
