import { createHash } from "node:crypto";
import { z } from "zod";
import type { AgentError } from "../agents/base/agent_error.ts";
import {
  ConfigurationError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../agents/model_deployer/errors.ts";
import type { Notice } from "../agents/model_deployer/domain/notices/notices.ts";
import type { CallOptions } from "../agents/model_deployer/ports/call_options.ts";
import { silenceOf } from "./silence.ts";
import { factsOf, linkOf, subjectOf } from "./notice_text.ts";
import { isLoopback } from "../platform/loopback.ts";

export interface MailSettings {
  /** `smtp://` or `smtps://`, with a user, and perhaps the password, where the server asks for them; null: no mail is sent. */
  smtpUrl: string | null;
  /** Asked for with each mail; null: none, or that of the address. @throws ConfigurationError where it is not to be had */
  password: () => Promise<string | null>;
  from: string;
}

const SERVICE = "mail";
const PATIENCE_MS = 8000;

/**
 * Sends a notice as one mail to all; mails about one endpoint are one thread.
 * @throws ConfigurationError without a server, or where it does not take the user, ServiceUnavailableError | ServiceRefusedError
 */
export async function sendMail(
  { smtpUrl, from, password }: MailSettings,
  to: readonly string[],
  { notice, consoleUrl }: { notice: Notice; consoleUrl: string | null },
  { signal }: CallOptions,
): Promise<void> {
  if (smtpUrl === null) {
    throw new ConfigurationError(
      "MODEL_DEPLOYER_SMTP_URL is not set: name the server that takes mails, as in smtps://user:password@mail.example.org.",
    );
  }
  const server = new URL(smtpUrl);
  const transport = await transportOf(server, await password());
  const cut = () => transport.close();
  signal.addEventListener("abort", cut, { once: true });
  try {
    await transport.sendMail({ from, to: [...to], ...mailOf(notice, consoleUrl) });
  } catch (error) {
    throw typed(server.host, error);
  } finally {
    signal.removeEventListener("abort", cut);
    transport.close();
  }
}

/** @param password of the user in the address; null: the one that stands there, or none */
async function transportOf({ href }: URL, password: string | null) {
  const server = new URL(href);
  const user = decoded(server.username);
  const pass = password ?? decoded(server.password);
  [server.username, server.password] = ["", ""];
  const { createTransport } = await import("nodemailer");
  return createTransport({
    url: server.href,
    ...(user !== "" && { auth: { user, pass } }),
    // A server that offers no TLS would be sent the password for all to read.
    requireTLS: user !== "" && !isLoopback(server.hostname),
    connectionTimeout: PATIENCE_MS,
    greetingTimeout: PATIENCE_MS,
    socketTimeout: PATIENCE_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

/** A part of an address; one with a percent sign that stands for itself is taken as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return part;
    throw error;
  }
}

function mailOf(notice: Notice, consoleUrl: string | null) {
  const { event_id, endpoint_name, title, reason, command } = notice;
  const thread = endpoint_name === null ? {} : { references: [messageId(endpoint_name)] };
  const link = linkOf(notice, consoleUrl);
  const facts = factsOf(notice);
  const lines = [
    title,
    reason,
    ...facts.map(([name, value]) => `${name}: ${value}`),
    command ?? "",
    link ?? "",
  ];
  const rows = facts.map(([name, value]) => `<tr><td>${html(name)}</td><td>${html(value)}</td></tr>`);
  return {
    subject: subjectOf(notice),
    messageId: messageId(event_id),
    ...thread,
    text: lines.filter((line) => line !== "").join("\n\n"),
    html: [
      `<p><b>${html(title)}</b></p>`,
      reason === "" ? "" : `<p>${html(reason).replaceAll("\n", "<br>")}</p>`,
      `<table>${rows.join("")}</table>`,
      command === null ? "" : `<p><code>${html(command)}</code></p>`,
      link === null ? "" : `<p><a href="${html(link)}">Open in the console</a></p>`,
    ].join("\n"),
  };
}

const errorSchema = z.object({
  code: z.string().optional().catch(undefined),
  responseCode: z.number().optional().catch(undefined),
});

/** The same for the same event, so that a mailbox that gets it twice can tell. */
const messageId = (id: string): string =>
  `<${createHash("sha256").update(id).digest("hex").slice(0, 32)}@model-deployer>`;

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const html = (text: string): string => text.replaceAll(/[&<>"']/g, (found) => ENTITIES[found] ?? found);

function typed(host: string, error: unknown): AgentError {
  const { code, responseCode: status } = errorSchema.parse(error);
  if (code === "EAUTH") {
    return new ConfigurationError(
      `${host} does not take the user and password of MODEL_DEPLOYER_SMTP_URL and MODEL_DEPLOYER_SMTP_PASSWORD.`,
      { cause: error, details: { host } },
    );
  }
  if (code === "ETLS") {
    return new ConfigurationError(
      `${host} offers no TLS that can be trusted, and no password goes over the network without; name a server that does, as in smtps://user@mail.example.org.`,
      { cause: error, details: { host } },
    );
  }
  if (status !== undefined && status >= 500) {
    return new ServiceRefusedError(SERVICE, `${host} does not take the mail: it answers with ${status}.`, {
      cause: error,
      details: { host, status },
    });
  }
  const message = `${host} does not take mails: ${silenceOf(error)}.`;
  return new ServiceUnavailableError(SERVICE, message, { cause: error, details: { host } });
}
