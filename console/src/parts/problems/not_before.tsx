import { now } from "../../live_clock.ts";
import { durationText, instantText, secondsBetween } from "../../readable.ts";

/** From when on what was refused makes sense again, unchanged; nothing where no time helps. */
export function NotBefore({ instant }: { instant: string | null }) {
  if (instant === null) return null;
  const left = -secondsBetween(instant, now.value);
  const when = left > 0 ? `from ${instantText(instant, now.value)} on, in ${durationText(left)}` : "now";
  return <p class="quiet">Asking for the same makes sense again {when}.</p>;
}
