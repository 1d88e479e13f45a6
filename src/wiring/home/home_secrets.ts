import { join } from "node:path";
import { HomeSecrets } from "../../platform/secrets/secret_keeper.ts";
import type { Configuration } from "../settings/configuration.ts";

export const homeSecrets = ({ home, keyring }: Pick<Configuration, "home" | "keyring">): HomeSecrets =>
  new HomeSecrets({ ...keyring, keyFile: join(home, "secrets.key") });
