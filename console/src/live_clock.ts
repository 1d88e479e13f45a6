import { computed, signal } from "@preact/signals";

/** Milliseconds that the server's clock is ahead of this browser's. */
let ahead = 0;

/** The server's time, told anew each second. */
export const now = signal(Date.now());

/** The beginning of the present day, and the time in steps of ten seconds, for what need not be drawn anew each second. */
export const today = computed(() => new Date(now.value).setHours(0, 0, 0, 0));
export const unhurriedNow = computed(() => Math.floor(now.value / UNHURRIED_MS) * UNHURRIED_MS);
const UNHURRIED_MS = 10_000;

export function setServerTime(instant: string): void {
  const told = Date.parse(instant);
  if (Number.isFinite(told)) ahead = told - Date.now();
}

export function startClock(): void {
  setInterval(() => {
    now.value = Date.now() + ahead;
  }, 1000);
}
