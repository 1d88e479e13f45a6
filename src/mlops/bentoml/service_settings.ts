import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/**
 * The content of `service.json` beside the generated service: all that differs between two bentos but their artifacts.
 */
export const serviceSettingsSchema = z.strictObject({
  bento_tag: z.string(),
  model_name: z.string(),
  model_version: z.string(),
  artifact_digest: z.string(),
  /** Null without preprocessing. */
  preprocessing_digest: z.string().nullable(),
  /** Packages that the model and its preprocessing need, one requirement each. */
  requirements: z.array(z.string()),
  /** The Python that the model was logged under, such as `3.12.1`; left out where the artifact does not tell. */
  python: z.string().optional(),
});
export type ServiceSettings = z.infer<typeof serviceSettingsSchema>;

/** The settings of a built bento; null when it is not one of ours, or not whole. */
export async function readServiceSettings(bentoPath: string): Promise<ServiceSettings | null> {
  // bento.yaml is the last file that a build writes.
  const [settings] = await Promise.all([
    readFile(join(bentoPath, "src", "service.json"), "utf8"),
    readFile(join(bentoPath, "bento.yaml"), "utf8"),
  ]).catch(() => [null]);
  if (settings === null || settings === undefined) return null;
  try {
    return serviceSettingsSchema.parse(JSON.parse(settings));
  } catch {
    return null;
  }
}
