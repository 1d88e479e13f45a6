import type { Capabilities } from "../agents/model_deployer/capabilities.ts";
import type { NewNotice } from "../agents/model_deployer/domain/notices/notices.ts";
import { NotificationDelivery } from "../agents/model_deployer/operations/delivery/notification_delivery.ts";
import {
  certificateNotice,
  driftNotice,
  waitingNotices,
  problemNotice,
  shortageNotice,
} from "./problem_notices.ts";
import type { TickReport } from "./tick_report.ts";

const WATCH_MS = 10_000;
const CERTIFICATES_MS = 6 * 3_600_000;
/** The limit for one look at certificates. */
const LOOK_MS = 10_000;
/** Notices that wait for the database; those beyond are left out, since what lasts is seen again. */
const MOST_PENDING = 1000;

/** Sentences about certificates that end soon. */
export type CertificateWatch = (signal: AbortSignal) => Promise<string[]>;

/**
 * Writes down notices about what a worker sees, which come of no change of the database, and sends all that are due.
 */
export class NoticeRounds {
  readonly #capabilities: Capabilities;
  readonly #delivery: NotificationDelivery | null;
  readonly #certificates: CertificateWatch | null;
  #pending: ((now: string) => NewNotice)[] = [];
  #watchedAt = -Infinity;
  #certificatesAt = -Infinity;

  constructor(
    capabilities: Capabilities,
    certificates: CertificateWatch | null,
    onProblem: (sentence: string) => void,
  ) {
    const { database, notificationSender } = capabilities.parts;
    this.#capabilities = capabilities;
    this.#certificates = certificates;
    this.#delivery =
      notificationSender === undefined
        ? null
        : new NotificationDelivery(database.notifications, notificationSender, onProblem);
  }

  /** Takes the notices of a round; they are written down in the next one. */
  note({ told, shortages, reconciliation }: Pick<TickReport, "told" | "shortages" | "reconciliation">): void {
    if (this.#delivery === null) return;
    const seen = [
      ...told.lasting.map((sentence) => (now: string) => problemNotice(sentence, now)),
      ...shortages.map((sentence) => (now: string) => shortageNotice(sentence, now)),
      ...(reconciliation?.findings ?? []).map((finding) => (now: string) => driftNotice(finding, now)),
    ];
    this.#pending = [...this.#pending, ...seen].slice(0, MOST_PENDING);
  }

  async begin(): Promise<void> {
    if (this.#delivery === null) return;
    await this.#tellPending();
    await this.#watch();
    await this.#delivery.begin();
  }

  async settled(): Promise<void> {
    await this.#delivery?.settled();
  }

  async #tellPending(): Promise<void> {
    if (this.#pending.length === 0) return;
    const { notifications, clock } = this.#capabilities.parts.database;
    const now = await clock.now();
    for (let next = this.#pending[0]; next !== undefined; next = this.#pending[0]) {
      await notifications.tell(next(now));
      this.#pending.shift();
    }
  }

  async #watch(): Promise<void> {
    const now = this.#capabilities.now();
    if (now - this.#watchedAt < WATCH_MS) return;
    this.#watchedAt = now;
    const { notifications } = this.#capabilities.parts.database;
    for (const notice of waitingNotices(await notifications.waiting())) await notifications.tell(notice);
  }

  /** Beside the rounds: a server that takes the connection and says nothing holds up no notice. */
  async lookAtCertificates(): Promise<void> {
    const now = this.#capabilities.now();
    if (this.#delivery === null || this.#certificates === null) return;
    if (now - this.#certificatesAt < CERTIFICATES_MS) return;
    this.#certificatesAt = now;
    const sentences = await this.#certificates(AbortSignal.timeout(LOOK_MS));
    this.#pending.push(...sentences.map((sentence) => (at: string) => certificateNotice(sentence, at)));
  }
}
