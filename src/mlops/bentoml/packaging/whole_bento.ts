import { access } from "node:fs/promises";
import { join } from "node:path";
import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import { modelRequirements } from "../../../platform/python/requirements/requirement_lines.ts";
import { parseBentoTag } from "../bento_tag.ts";
import { BentoStore } from "./bento_store.ts";
import { assertBuiltFiles } from "./built_files.ts";

/**
 * The bento of this tag with all that it needs to be served elsewhere.
 * @throws EndpointCreationError where it is not in the store, is not the files that it was built from, or has no runner
 */
export async function wholeBento(home: string, bentoTag: string) {
  const bento = await new BentoStore(home).find(parseBentoTag(bentoTag));
  if (bento === null) {
    throw new EndpointCreationError(`bento ${bentoTag} is not in the store: package the model first`);
  }
  await assertBuiltFiles(bento);
  const { path, settings } = bento;
  await access(join(path, "src", "serve.py")).catch((cause: unknown) => {
    throw new EndpointCreationError(
      `bento ${bentoTag} has no serve.py, which an image runs: remove ${path}, and it is built again`,
      { cause },
    );
  });
  const requirements = modelRequirements(settings.requirements);
  return { bento_tag: bentoTag, path, artifact_digest: settings.artifact_digest, requirements };
}
