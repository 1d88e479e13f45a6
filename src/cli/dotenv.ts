import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";

/** As `init` writes it. Another program's file has no such line, and its DATABASE_URL is none of the deployer's. */
const OWN = "MODEL_DEPLOYER_HOME";

/** The environment with what the folder's `.env` adds, where that file is the deployer's; what is set already wins. */
export function withDotenv(
  environment: Record<string, string | undefined>,
  folder: string,
): Record<string, string | undefined> {
  return { ...readDotenv(folder), ...environment };
}

/** Empty where there is no file, or one of another program. */
export function readDotenv(folder: string): Record<string, string | undefined> {
  const variables = parseEnv(textOf(join(folder, ".env")));
  return variables[OWN] === undefined ? {} : variables;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // No file, or none that this user may read: the environment alone counts.
    return "";
  }
}
