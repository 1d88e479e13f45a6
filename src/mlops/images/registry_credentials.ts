import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ConfigurationError } from "../../agents/model_deployer/errors.ts";
import { parsedJson } from "../../platform/parsed_json.ts";
import { isMissing } from "../../platform/system_errors.ts";

const dockerConfigSchema = z.object({
  auths: z
    .record(
      z.string(),
      z.object({
        auth: z.string().optional(),
        username: z.string().optional(),
        password: z.string().optional(),
      }),
    )
    .default({}),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).default({}),
});

/**
 * `user:password` in base64 for one registry, out of Docker's `config.json`; null where there is none.
 * @param folder of the file, `DOCKER_CONFIG` or `~/.docker`
 * @throws ConfigurationError where the file is no such configuration, or keeps its credentials elsewhere
 */
export async function registryCredentials(folder: string, host: string): Promise<string | null> {
  const path = join(folder, "config.json");
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    if (isMissing(cause)) return null;
    throw new ConfigurationError(`${path} cannot be read.`, { cause });
  });
  if (text === null) return null;
  const parsed = dockerConfigSchema.safeParse(parsedJson(text));
  if (!parsed.success) throw new ConfigurationError(`${path} is no configuration of Docker.`);
  const { auths, credsStore, credHelpers } = parsed.data;
  const found = [host, `https://${host}`, `https://${host}/v1/`].map((name) => auths[name]).find(Boolean);
  if (found?.auth !== undefined && found.auth !== "") return found.auth;
  if (found?.username !== undefined && found.password !== undefined) {
    return Buffer.from(`${found.username}:${found.password}`).toString("base64");
  }
  const helper = credHelpers[host] ?? (found === undefined ? undefined : credsStore);
  if (helper === undefined) return null;
  throw new ConfigurationError(
    `${path} keeps the credentials of ${host} in the helper ${helper}, which is not asked: give them under "auths", in a file of another folder that DOCKER_CONFIG names.`,
  );
}
