import type { NewNotice, Notice } from "../domain/notices/notices.ts";
import type { NewSink, SendableSink, Sink } from "../domain/notices/notification_sinks.ts";
import type { Actor } from "../domain/access/roles.ts";
import type { CallOptions } from "./call_options.ts";

/** One notice on its way to one sink. */
export interface DueNotice {
  entry_id: string;
  sink: SendableSink;
  notice: Notice;
  attempts: number;
}

export interface FailedDelivery {
  reason: string;
  /**
   * True where the sink does not answer, so that nothing is sent to it for a while; false where it refused this
   * notice.
   */
  is_away: boolean;
  /** After so many refusals the notice is set aside. */
  refusals_allowed: number;
}

export interface FailingSink {
  failing_since: string;
  failures: number;
  set_aside_at: string | null;
}

export interface LongWaiting {
  /** Operations whose wait for approvals is nearly over. */
  approvals: { operation_id: string; summary: string; requested_by: string; waits_until: string }[];
  /** Running rollouts that have been inconclusive at one step for long. */
  rollouts: {
    rollout_id: string;
    endpoint_name: string;
    experiment_id: string;
    step_index: number;
    step_started_at: string;
    reason: string;
    minutes: number;
  }[];
}

/** Notices in the outbox, one row for each sink that asked for them. */
export interface Notifications {
  /** For what happens outside of an operation; a notice that was told before, by its id, is dropped. */
  tell(notice: NewNotice, options?: { except_sink: string }): Promise<void>;
  /**
   * Of each sink and endpoint the oldest undelivered notice whose time has come, given to one caller for a while: what
   * follows it waits for it.
   */
  claim(limit: number, options: { except_sinks: readonly string[] }): Promise<DueNotice[]>;
  delivered(entry: DueNotice): Promise<void>;
  /**
   * Sets the next try, later each time; one that its sink has refused `refusals_allowed` times is set aside, and what
   * follows it goes on. @returns since when the sink fails, how often it did, and when this one was set aside
   */
  failed(entry: DueNotice, failure: FailedDelivery): Promise<FailingSink | null>;
  /** Operations and approvals that have waited for long, and are told of for that. */
  waiting(): Promise<LongWaiting>;
}

export interface NotificationSinks {
  /** By name. */
  list(): Promise<Sink[]>;
  /** @throws NotFoundError */
  sendable(sinkName: string): Promise<SendableSink>;
  /** Sets it in the place of a former one of that name; what waits for that, or was set aside, is sent to this one. */
  set(sink: NewSink, by: Actor): Promise<void>;
  /** Notices that wait for it are not sent any more. @throws NotFoundError */
  remove(sinkName: string, by: Actor): Promise<void>;
  /** Sends what was set aside anew. @returns how many notices. @throws NotFoundError */
  retry(sinkName: string): Promise<number>;
}

/** Keeps what is secret so that whoever reads only where it is kept does not know it. */
export interface SecretKeeper {
  /**
   * Seals what is given, for one place; a reference, `env:NAME` or `file:/path`, is kept as it is.
   * @returns what may be stored, and what it stands for. @throws InvalidRequestError for a reference that leads nowhere
   */
  keep(given: string, place: string): Promise<{ kept: string; value: string }>;
  /** @throws ConfigurationError where its key or what it refers to is not here */
  open(kept: string, place: string): Promise<string>;
}

export interface NotificationSender {
  /**
   * Delivers one notice; the sink may see it twice, under the same id.
   * @throws ServiceUnavailableError where it does not answer, ServiceRefusedError where it does not take it,
   * ConfigurationError where a setting is missing
   */
  send(sink: DueNotice["sink"], notice: Notice, options: CallOptions): Promise<void>;
}
