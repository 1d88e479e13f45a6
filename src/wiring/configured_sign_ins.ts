import type { SecretKeeper } from "../agents/model_deployer/ports/notification_ports.ts";
import { OpenIdProvider } from "../identity/openid_provider.ts";
import type { SignIns } from "../service/people/opened_session.ts";
import type { Configuration } from "./settings/configuration.ts";

const isReference = (text: string): boolean => /^(env|file):/.test(text);

/** Null where no provider is set; one that is set is asked when somebody signs in. */
export function signInsOf({ oidc }: Pick<Configuration, "oidc">, secrets: SecretKeeper): SignIns | null {
  if (oidc === null) return null;
  const { clientSecret, roles, sessionHours, ...settings } = oidc;
  const provider = new OpenIdProvider({
    ...settings,
    clientSecret: async () =>
      clientSecret !== null && isReference(clientSecret)
        ? secrets.open(clientSecret, "the secret of the provider's client")
        : clientSecret,
  });
  return { provider, roles, sessionHours };
}
