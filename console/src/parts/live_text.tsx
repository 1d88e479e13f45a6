import { now } from "../live_clock.ts";

/** A text that follows the clock by itself, so that a second that passes draws nothing around it anew. */
export function LiveText({ of }: { of: (now: number) => string }) {
  return <>{of(now.value)}</>;
}
