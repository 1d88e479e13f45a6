import type { EndpointView } from "../api/answer_schemas.ts";
import { durationText } from "../readable.ts";
import { LiveText } from "./live_text.tsx";
import { StatusTag } from "./marks.tsx";

type Rollout = NonNullable<EndpointView["rollout"]>;

export const isOpen = (rollout: Rollout | null): rollout is Rollout =>
  rollout !== null && (rollout.status === "running" || rollout.status === "paused");

/** The steps of a rollout, how far it is, and the time to its next one. */
export function RolloutTrack({ rollout }: { rollout: Rollout }) {
  const { steps, step_index: reached, status } = rollout;
  const isOver = status === "completed";
  return (
    <div class="track">
      <ol class="track-steps" aria-label="steps of the rollout">
        {steps.map((step, index) => {
          const state = isOver || index < reached ? "done" : index === reached ? "now" : "ahead";
          return (
            <li key={index} class={`step step-${state}`} aria-current={state === "now" ? "step" : undefined}>
              {step.weight} %
            </li>
          );
        })}
      </ol>
      <p class="track-text">
        <StatusTag status={status} /> <LiveText of={(now) => nextText(rollout, now)} />
      </p>
    </div>
  );
}

function nextText(rollout: Rollout, now: number): string {
  const { status, next_step_at, watched_until, pause, steps, step_index } = rollout;
  if (pause !== null) return `by ${pause.by}: ${pause.reason}`;
  if (status === "running" && next_step_at !== null) {
    const left = (Date.parse(next_step_at) - now) / 1000;
    const next = steps[step_index + 1];
    const to = next === undefined ? "the end" : `${next.weight} %`;
    return left > 0
      ? `${to} in ${durationText(left)}, if the judge lets it`
      : `${to} as soon as the judge lets it`;
  }
  if (watched_until !== null) {
    const left = (Date.parse(watched_until) - now) / 1000;
    return left > 0 ? `watched for another ${durationText(left)}` : "";
  }
  return "";
}
