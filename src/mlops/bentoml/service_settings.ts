import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/** What stands in `service.json` beside the generated service: all that differs between two bentos but their artifacts. */
export const serviceSettingsSchema = z.strictObject({
  bento_tag: z.string(),
  model_name: z.string(),
  model_version: z.string(),
  artifact_digest: z.string(),
  /** Null without preprocessing. */
  preprocessing_digest: z.string().nullable(),
  /** What the model, and its preprocessing, need to be served; one package each. */
  requirements: z.array(z.string()),
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
