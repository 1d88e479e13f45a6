import { InvalidRequestError } from "../agents/model_deployer/errors.ts";

const MICROS_PER_SECOND = 1_000_000;
const START = "2026-06-01T09:00:00Z";

export interface Duration {
  days?: number;
  hours?: number;
  minutes?: number;
  seconds?: number;
}

export function secondsOf({ days = 0, hours = 0, minutes = 0, seconds = 0 }: Duration): number {
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}

/**
 * The time of an in-memory database. It stands still until it is turned, but for a microsecond with each reading, so
 * that what was written first is older, as it is in Postgres.
 */
export class TestClock {
  #micros: number;

  /** @param start ISO 8601 with an offset */
  constructor(start = START) {
    this.#micros = microsOf(start);
  }

  /** ISO 8601 in UTC with up to six digits of a second. */
  now(): string {
    this.#micros += 1;
    return instantOf(this.#micros);
  }

  /** The last reading, in microseconds since 1970. */
  get read(): number {
    return this.#micros;
  }

  /** Another clock that shows the same. */
  copy(): TestClock {
    const copy = new TestClock();
    copy.#micros = this.#micros;
    return copy;
  }

  /** Takes over what somebody else has read; never turns back. */
  reach(micros: number): void {
    this.#micros = Math.max(this.#micros, micros);
  }

  /** @throws InvalidRequestError for a way back: what a database has dated stays in its past */
  turn(by: Duration): void {
    const seconds = secondsOf(by);
    if (!(seconds >= 0 && seconds < Infinity)) {
      throw new InvalidRequestError(`The clock cannot be turned by ${seconds} s: turn it forward`);
    }
    this.#micros += Math.round(seconds * MICROS_PER_SECOND);
  }
}

const instantPattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/;

/** @throws InvalidRequestError when the text is no instant with an offset */
export function microsOf(instant: string): number {
  const [, whole = "", fraction = "", offset = ""] = instantPattern.exec(instant) ?? [];
  const millis = Date.parse(`${whole}${offset}`);
  if (Number.isNaN(millis)) {
    throw new InvalidRequestError(`${JSON.stringify(instant)} is no instant: give ISO 8601 with an offset`);
  }
  return millis * 1000 + Number(fraction.padEnd(6, "0"));
}

export function instantOf(micros: number): string {
  const whole = new Date(Math.floor(micros / MICROS_PER_SECOND) * 1000).toISOString().slice(0, 19);
  const fraction = String(micros % MICROS_PER_SECOND)
    .padStart(6, "0")
    .replace(/0+$/, "");
  return fraction === "" ? `${whole}Z` : `${whole}.${fraction}Z`;
}
