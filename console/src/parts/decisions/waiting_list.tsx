import { now } from "../../live_clock.ts";
import { hashOf } from "../../hash_route.ts";
import { agoText, durationText, secondsBetween } from "../../readable.ts";
import { waiting } from "../../store.ts";

/** The requests that wait for somebody's approval, the one that expires first on top. */
export function WaitingList({ experiment = null }: { experiment?: string | null }) {
  const all = waiting.value
    .filter((one) => experiment === null || one.experiment_id === experiment)
    .sort((a, b) => (a.waits_until ?? "").localeCompare(b.waits_until ?? ""));
  if (all.length === 0) return null;
  return (
    <section class="waiting" aria-label="waits for an approval">
      <h2>Waits for an approval</h2>
      <ul>
        {all.map((one) => (
          <li key={one.operation_id}>
            <a href={hashOf({ view: "operation", operation: one.operation_id })}>
              {named(one.plan?.summary ?? one.action, one.plan?.names ?? {})}
            </a>
            <span class="quiet">
              {" "}
              asked for by {one.requested_by} {agoText(one.created_at, now.value)} · {one.approvals_given} of{" "}
              {one.approvals_needed} given
              {one.waits_until !== null &&
                ` · expires in ${durationText(-secondsBetween(one.waits_until, now.value))}`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A sentence with the readable names of the ids in it. */
export const named = (text: string, names: Record<string, string>): string =>
  text.replaceAll(/\w+/g, (word) => names[word] ?? word);
