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
  MODEL_DEPLOYER_SMTP_PASSWORD: z.string().optional(),
  MODEL_DEPLOYER_MAIL_FROM: z.string().default("Model Deployer <model-deployer@localhost>"),
};

export interface NotificationSettings {
  /** Where links lead to, as those who are told reach it; null: where this home's API was last served. */
  consoleUrl: string | null;
  mail: {
    /** The server that takes mails; null where none is sent. */
    smtpUrl: string | null;
    /** Of the user in `smtpUrl`: its value, or where it is kept, `env:NAME` or `file:/path`. Null: none, or that of `smtpUrl`. */
    password: string | null;
    from: string;
  };
}

type Values = z.infer<z.ZodObject<typeof notificationVariables>>;

export function notificationsOf(values: Values): NotificationSettings {
  const mail = {
    smtpUrl: values.MODEL_DEPLOYER_SMTP_URL ?? null,
    password: values.MODEL_DEPLOYER_SMTP_PASSWORD ?? null,
    from: values.MODEL_DEPLOYER_MAIL_FROM,
  };
  return { consoleUrl: values.MODEL_DEPLOYER_CONSOLE_URL ?? null, mail };
}

/** A password without its user, or two of them; null where there is no problem. */
export function mailProblem(values: Values): { name: string; message: string } | null {
  const { MODEL_DEPLOYER_SMTP_URL: address = "smtp:", MODEL_DEPLOYER_SMTP_PASSWORD: password } = values;
  if (password === undefined || !URL.canParse(address)) return null;
  const { username, password: inAddress } = new URL(address);
  if (username === "") {
    const message = "names no user: the password is that of a user, as in smtps://user@mail.example.org";
    return { name: "MODEL_DEPLOYER_SMTP_URL", message };
  }
  if (inAddress === "") return null;
  const message = "is given in MODEL_DEPLOYER_SMTP_URL as well: leave it out there";
  return { name: "MODEL_DEPLOYER_SMTP_PASSWORD", message };
}

export function keyringOf(
  values: Values,
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
