import type { NotificationSender, SecretKeeper } from "../agents/model_deployer/ports/notification_ports.ts";
import { Sender } from "../notifications/notification_sender.ts";
import { servedAddress } from "../platform/services/served_address.ts";
import { referredSecret } from "./home/referred_secret.ts";
import type { Configuration } from "./settings/configuration.ts";

/** Its links lead to the address that is set, else to where this home's API is served. */
export function noticeSender(
  { home, notifications }: Pick<Configuration, "home" | "notifications">,
  secrets: SecretKeeper,
): NotificationSender {
  const { consoleUrl, mail } = notifications;
  const password = referredSecret(mail.password, "The password of the mail server", secrets);
  return new Sender({
    consoleUrl: async () => consoleUrl ?? servedAddress(home),
    mail: { ...mail, password },
    secrets,
  });
}
