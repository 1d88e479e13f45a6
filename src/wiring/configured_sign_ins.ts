import type { SecretKeeper } from "../agents/model_deployer/ports/notification_ports.ts";
import { OpenIdProvider } from "../identity/openid_provider.ts";
import type { SignIns } from "../service/people/opened_session.ts";
import { referredSecret } from "./home/referred_secret.ts";
import type { Configuration } from "./settings/configuration.ts";

/** Null where no provider is set; one that is set is asked when somebody signs in. */
export function signInsOf({ oidc }: Pick<Configuration, "oidc">, secrets: SecretKeeper): SignIns | null {
  if (oidc === null) return null;
  const { clientSecret, roles, sessionHours, checkMinutes, ...settings } = oidc;
  const provider = new OpenIdProvider({
    ...settings,
    clientSecret: referredSecret(clientSecret, "The secret of the provider's client", secrets),
  });
  return { provider, roles, sessionHours, checkMinutes };
}
