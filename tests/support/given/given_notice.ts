import type { Notice } from "../../../src/agents/model_deployer/domain/notices/notices.ts";
import { Sender } from "../../../src/notifications/notification_sender.ts";
import { givenSecrets } from "./given_secrets.ts";

export const CONSOLE = "https://models.example.org/";

/** A rollback, with markup in its reason. */
export const notice: Notice = {
  event_id: "op_1:rolled_back",
  kind: "rolled_back",
  severity: "warning",
  occurred_at: "2026-06-01T09:00:00Z",
  experiment_id: "remission",
  endpoint_name: "e2i_remission",
  title: "Roll e2i_remission back from e2i_remission:v2 to e2i_remission:v1.",
  reason: "errors of <b>v2</b> & more: 12 of 100",
  by: "model_deployer",
  numbers: { candidate_requests: 12_345, candidate_errors: 12, e_value: 1234.5678 },
  operation_id: "op_1",
  rollout_id: "rollout_1",
  command: null,
};

interface SenderOptions {
  smtpUrl?: string | null;
  consoleUrl?: string | null;
  password?: () => Promise<string | null>;
}

export function givenSender({
  smtpUrl = null,
  consoleUrl = CONSOLE,
  password = async () => null,
}: SenderOptions = {}): Sender {
  const mail = { smtpUrl, from: "deployer@example.org", password };
  return new Sender({ consoleUrl: async () => consoleUrl, mail, secrets: givenSecrets() });
}
