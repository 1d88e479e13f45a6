import type { SecretKeeper } from "../../agents/model_deployer/ports/notification_ports.ts";

const isReference = (text: string): boolean => /^(env|file):/.test(text);

/**
 * A secret of a setting, looked up anew each time where the setting says where it is kept, so that it is changed there.
 * @param place what it is, for whoever reads that it is not there
 * @throws ConfigurationError where it is not where the setting says
 */
export function referredSecret(
  setting: string | null,
  place: string,
  secrets: SecretKeeper,
): () => Promise<string | null> {
  return async () => (setting !== null && isReference(setting) ? secrets.open(setting, place) : setting);
}
