import { Webhook } from "standardwebhooks";
import type { Notice } from "../agents/model_deployer/domain/notices/notices.ts";
import {
  placeOf,
  type SendableSink,
  signingSecretPattern,
} from "../agents/model_deployer/domain/notices/notification_sinks.ts";
import { ConfigurationError } from "../agents/model_deployer/errors.ts";
import type { CallOptions } from "../agents/model_deployer/ports/call_options.ts";
import type { NotificationSender, SecretKeeper } from "../agents/model_deployer/ports/notification_ports.ts";
import { slackMessage, teamsMessage } from "./chat_messages.ts";
import { cloudEventOf } from "./cloud_event.ts";
import { type MailSettings, sendMail } from "./mail.ts";
import { post } from "./posted.ts";

const JSON_HEADERS = { "content-type": "application/json" };

interface SenderParts {
  /** Where links lead to, as those who are told reach it; null where that is not known. */
  consoleUrl: () => Promise<string | null>;
  mail: MailSettings;
  secrets: SecretKeeper;
}

/** Sends notices over HTTP and SMTP. */
export class Sender implements NotificationSender {
  readonly #parts: SenderParts;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  async send(sink: SendableSink, notice: Notice, options: CallOptions): Promise<void> {
    const consoleUrl = await this.#parts.consoleUrl();
    const { target, may_be_inside: mayBeInside } = sink;
    switch (target.kind) {
      case "webhook": {
        const [url, secret] = [await this.#address(sink), await this.#secret(sink)];
        const body = JSON.stringify(cloudEventOf(notice, consoleUrl));
        return post({ url, body, headers: signed(notice.event_id, body, secret), mayBeInside }, options);
      }
      case "slack": {
        const body = JSON.stringify(slackMessage(notice, consoleUrl));
        const url = await this.#address(sink);
        return post({ url, body, headers: JSON_HEADERS, mayBeInside }, options);
      }
      case "teams": {
        const body = JSON.stringify(teamsMessage(notice, consoleUrl));
        const url = await this.#address(sink);
        return post({ url, body, headers: JSON_HEADERS, mayBeInside }, options);
      }
      case "email":
        return sendMail(this.#parts.mail, target.to, { notice, consoleUrl }, options);
      default:
        return target satisfies never;
    }
  }

  async #address({ sink_name, secrets }: SendableSink): Promise<string> {
    const place = placeOf(sink_name, "address");
    const url = await this.#parts.secrets.open(secrets.address ?? "", place);
    if (URL.canParse(url)) return url;
    throw new ConfigurationError(`${place} is no address: set the sink anew, or what it refers to.`);
  }

  async #secret({ sink_name, secrets }: SendableSink): Promise<string> {
    const place = placeOf(sink_name, "secret");
    const secret = await this.#parts.secrets.open(secrets.secret ?? "", place);
    if (signingSecretPattern.test(secret)) return secret;
    throw new ConfigurationError(
      `${place} is none in the form of Standard Webhooks, whsec_...: set it anew, or what it refers to.`,
    );
  }
}

/** Headers by https://www.standardwebhooks.com: HMAC-SHA256 over id, time and body. */
function signed(id: string, body: string, secret: string): Record<string, string> {
  const now = new Date();
  return {
    "content-type": "application/cloudevents+json; charset=utf-8",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, now, body),
  };
}
