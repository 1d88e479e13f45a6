import type { Notice } from "../agents/model_deployer/domain/notices/notices.ts";
import { factsOf, linkOf, subjectOf } from "./notice_text.ts";

const MOST_TEXT = 2900;
const MOST_FACTS = 10;

/** Slack's three characters of control, https://docs.slack.dev/messaging/formatting-message-text. */
const slackText = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").slice(0, MOST_TEXT);

/** For an incoming webhook of Slack. */
export function slackMessage(notice: Notice, consoleUrl: string | null): Record<string, unknown> {
  const { title, reason, command } = notice;
  const plain = (text: string) => ({ type: "plain_text", text: text.slice(0, MOST_TEXT), emoji: false });
  const link = linkOf(notice, consoleUrl);
  return {
    text: slackText(subjectOf(notice)),
    blocks: [
      { type: "section", text: plain(title) },
      ...(reason === "" ? [] : [{ type: "section", text: plain(reason) }]),
      {
        type: "section",
        fields: factsOf(notice)
          .slice(0, MOST_FACTS)
          .map(([name, value]) => plain(`${name}\n${value}`)),
      },
      ...(command === null ? [] : [{ type: "section", text: plain(command) }]),
      ...(link === null
        ? []
        : [{ type: "context", elements: [{ type: "mrkdwn", text: `<${link}|Open in the console>` }] }]),
    ],
  };
}

/** An adaptive card for a workflow of Teams that takes webhooks. */
export function teamsMessage(notice: Notice, consoleUrl: string | null): Record<string, unknown> {
  const { title, reason, command, severity } = notice;
  const link = linkOf(notice, consoleUrl);
  // A TextBlock reads a subset of Markdown; a RichTextBlock reads none, so that a name stays what it is.
  const block = (text: string, also: Record<string, unknown> = {}) => ({
    type: "RichTextBlock",
    inlines: [{ type: "TextRun", text, ...also }],
  });
  const content = {
    type: "AdaptiveCard",
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    version: "1.4",
    body: [
      block(title, { weight: "Bolder", color: severity === "info" ? "Default" : "Attention" }),
      ...(reason === "" ? [] : [block(reason)]),
      {
        type: "FactSet",
        facts: factsOf(notice).map(([name, value]) => ({ title: name, value: escaped(value) })),
      },
      ...(command === null ? [] : [block(command, { fontType: "Monospace" })]),
    ],
    actions: link === null ? [] : [{ type: "Action.OpenUrl", title: "Open in the console", url: link }],
  };
  return {
    type: "message",
    attachments: [{ contentType: "application/vnd.microsoft.card.adaptive", contentUrl: null, content }],
  };
}

const escaped = (text: string): string => text.replaceAll(/[\\`*_[\]()#>~]/g, "\\$&");
