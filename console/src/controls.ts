import { signal } from "@preact/signals";
import type { EndpointView } from "./api/answer_schemas.ts";

/** The actions of a person on an endpoint; each is shown as a plan before it is done. */
export interface Control {
  name: "rollback" | "pause" | "resume" | "abort" | "promote_now" | "retry";
  title: string;
  /** Its effect, in a sentence. */
  says: string;
  /** Reasons that are one click away; the first is set. */
  reasons: readonly [string, ...string[]];
  isDangerous?: boolean;
}

export const ROLLBACK: Control = {
  name: "rollback",
  title: "Roll back",
  says: "brings back what served before, at once",
  reasons: ["wrong answers", "errors", "too slow", "a drill"],
  isDangerous: true,
};

const STEERING = {
  pause: {
    name: "pause",
    title: "Pause",
    says: "holds the rollout at its step; the judge goes on watching",
    reasons: ["to look closer", "an incident elsewhere"],
  },
  resume: {
    name: "resume",
    title: "Resume",
    says: "goes on from where it was held",
    reasons: ["looked at, all well"],
  },
  abort: {
    name: "abort",
    title: "Abort",
    says: "takes all traffic back to the baseline at once",
    reasons: ["not now", "the wrong version"],
    isDangerous: true,
  },
  promote_now: {
    name: "promote_now",
    title: "Promote now",
    says: "gives the candidate all traffic, past the steps that are left; needs an approval",
    reasons: ["seen enough", "the baseline is worse"],
  },
  retry: {
    name: "retry",
    title: "Retry",
    says: "begins the rollout again; needs an approval",
    reasons: ["what failed was mended elsewhere"],
  },
} as const satisfies Record<string, Control>;

/** The controls that make sense for an endpoint as it is now, a roll back first. */
export function controlsFor({ rollout, traffic }: EndpointView): Control[] {
  const steering = {
    running: [STEERING.pause, STEERING.promote_now, STEERING.abort],
    paused: [STEERING.resume, STEERING.promote_now, STEERING.abort],
    aborted: [STEERING.retry],
    rolled_back: [STEERING.retry],
    completed: [],
  };
  const serves = traffic.some(({ weight, stage }) => weight > 0 && stage === "production");
  return [...(serves ? [ROLLBACK] : []), ...(rollout === null ? [] : steering[rollout.status])];
}

export function requestOf(control: Control, endpoint: string, reason: string): Record<string, string> {
  const why = control.name === "rollback" ? { rollback_reason: reason } : { rollout_reason: reason };
  return { deployment_action: control.name, endpoint_name: endpoint, ...why };
}

/** The control that is being asked about; null while none is. */
export const asking = signal<{ control: Control; endpoint: string } | null>(null);

export function askFor(control: Control, endpoint: string): void {
  asking.value = { control, endpoint };
}
