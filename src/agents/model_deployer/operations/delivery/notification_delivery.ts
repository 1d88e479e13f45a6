import { AgentError } from "../../../base/agent_error.ts";
import { withoutCredentials } from "../../../base/credentials.ts";
import { ConfigurationError } from "../../errors.ts";
import type {
  DueNotice,
  FailingSink,
  NotificationSender,
  Notifications,
} from "../../ports/notification_ports.ts";

const BATCH = 100;
/** The limit for one delivery. */
const SEND_MS = 10_000;
/** After so many failures in a row the other sinks are told of one. */
const FAILURES_BEFORE_NOTICE = 3;
/** Some four minutes by their delays; then a notice waits for somebody, and those that follow it are sent. */
const REFUSALS_ALLOWED = 8;

/**
 * Sends notices to their sinks: at least once, of one endpoint in order. Sinks are served beside each other, so that
 * one that does not answer holds up none but itself.
 */
export class NotificationDelivery {
  readonly #notifications: Notifications;
  readonly #sender: NotificationSender;
  readonly #onProblem: (sentence: string) => void;
  readonly #busy = new Map<string, Promise<void>>();

  constructor(
    notifications: Notifications,
    sender: NotificationSender,
    onProblem: (sentence: string) => void,
  ) {
    this.#notifications = notifications;
    this.#sender = sender;
    this.#onProblem = onProblem;
  }

  /** Begins with what is due for sinks that nothing is under way to. @returns whether anything was */
  async begin(): Promise<boolean> {
    const due = await this.#notifications.claim(BATCH, { except_sinks: [...this.#busy.keys()] });
    const bySink = Map.groupBy(due, ({ sink }) => sink.sink_name);
    for (const [name, entries] of bySink) {
      const under = this.#sendInOrder(entries).finally(() => this.#busy.delete(name));
      this.#busy.set(name, under);
    }
    return due.length > 0;
  }

  /** Resolves when what is under way is sent or has failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#busy.values());
  }

  /** Never rejects: what cannot even be noted as failed is due again after its claim. */
  async #sendInOrder(entries: readonly DueNotice[]): Promise<void> {
    let outage: string | null = null;
    for (const entry of entries) {
      try {
        if (outage === null) outage = await this.#sendOne(entry);
        else await this.#failed(entry, outage, true);
      } catch (error) {
        this.#onProblem(`${entry.sink.sink_name}: ${sentenceFor(error)}`);
      }
    }
  }

  /** @returns why the sink is away; null where it is not */
  async #sendOne(entry: DueNotice): Promise<string | null> {
    try {
      await this.#sender.send(entry.sink, entry.notice, { signal: AbortSignal.timeout(SEND_MS) });
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const reason = sentenceFor(error);
      // A secret that is missing stops all of the sink's notices, and none of them is at fault.
      const isAway = error.retryable || error instanceof ConfigurationError;
      const failing = await this.#failed(entry, reason, isAway);
      if (failing !== null) await this.#tellOthers(entry, failing, reason);
      return isAway ? reason : null;
    }
    await this.#notifications.delivered(entry);
    return null;
  }

  async #failed(entry: DueNotice, reason: string, is_away: boolean): Promise<FailingSink | null> {
    const failure = { reason, is_away, refusals_allowed: REFUSALS_ALLOWED };
    const failing = await this.#notifications.failed(entry, failure);
    const isSetAside = failing !== null && failing.set_aside_at !== null;
    const later = isSetAside ? `go on without ${entry.notice.event_id}` : "are sent later";
    this.#onProblem(`notices to ${entry.sink.sink_name} ${later}: ${reason}`);
    return failing;
  }

  async #tellOthers({ sink, notice }: DueNotice, failing: FailingSink, reason: string): Promise<void> {
    const { sink_name } = sink;
    const { failing_since, failures, set_aside_at } = failing;
    const tell = (event_id: string, title: string, command: string) =>
      this.#notifications.tell(
        {
          ...{ event_id, kind: "sink_down", severity: "warning", title, reason, by: "the deployer", command },
          ...{ experiment_id: null, endpoint_name: null, numbers: { failures } },
          ...{ operation_id: null, rollout_id: null },
        },
        { except_sink: sink_name },
      );
    if (failures >= FAILURES_BEFORE_NOTICE) {
      await tell(
        `sink_down:${sink_name}:${failing_since}`,
        `${sink_name} does not take what it is sent, since ${failing_since}; it is kept and sent later.`,
        "model-deployer notifications list",
      );
    }
    if (set_aside_at === null) return;
    // Once an hour, however many it refuses.
    await tell(
      `set_aside:${sink_name}:${set_aside_at.slice(0, 13)}`,
      `${sink_name} has refused ${notice.kind} "${notice.title}" ${REFUSALS_ALLOWED} times: it is set aside, and what follows it is sent.`,
      `model-deployer notifications retry ${sink_name}`,
    );
  }
}

const sentenceFor = (error: unknown): string =>
  withoutCredentials(error instanceof Error ? error.message : String(error));
