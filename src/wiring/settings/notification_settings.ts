import { z } from "zod";
import { addressSetting as address } from "./address_setting.ts";

/** How a team is told, as the environment says it. */
export const notificationVariables = {
  MODEL_DEPLOYER_CONSOLE_URL: address(["http:", "https:"]).optional(),
  MODEL_DEPLOYER_SECRETS_KEY: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits")
    .optional(),
  MODEL_DEPLOYER_SMTP_URL: address(["smtp:", "smtps:"]).optional(),
  MODEL_DEPLOYER_MAIL_FROM: z.string().default("Model Deployer <model-deployer@localhost>"),
};

export interface NotificationSettings {
  /** Where links lead to, as those who are told reach it; null: where this home's API was last served. */
  consoleUrl: string | null;
  /** The server that takes mails, null where none is sent, and from whom they are. */
  mail: { smtpUrl: string | null; from: string };
}

export function notificationsOf(
  values: z.infer<z.ZodObject<typeof notificationVariables>>,
): NotificationSettings {
  const mail = { smtpUrl: values.MODEL_DEPLOYER_SMTP_URL ?? null, from: values.MODEL_DEPLOYER_MAIL_FROM };
  return { consoleUrl: values.MODEL_DEPLOYER_CONSOLE_URL ?? null, mail };
}

export function keyringOf(
  values: z.infer<z.ZodObject<typeof notificationVariables>>,
  environment: Readonly<Record<string, string | undefined>>,
): Keyring {
  return { key: values.MODEL_DEPLOYER_SECRETS_KEY ?? null, variable: (name) => environment[name] };
}

/** The key that seals secrets, and where references to them lead. */
export interface Keyring {
  /** Null: a key of the home. */
  key: string | null;
  variable: (name: string) => string | undefined;
}
