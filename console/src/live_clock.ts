import { signal } from "@preact/signals";

/** Milliseconds that the server's clock is ahead of this browser's. */
let ahead = 0;

/** The server's time, told anew each second. */
export const now = signal(Date.now());

export function setServerTime(instant: string): void {
  const told = Date.parse(instant);
  if (Number.isFinite(told)) ahead = told - Date.now();
}

export function startClock(): void {
  setInterval(() => {
    now.value = Date.now() + ahead;
  }, 1000);
}
