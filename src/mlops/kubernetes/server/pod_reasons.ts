import type { ContainerStatus, ObservedPod, ServerView } from "./observed_objects.ts";
import { SERVER_CONTAINER } from "./server_pod.ts";

export type ServerCondition =
  | { condition: "available" }
  | { condition: "starting"; reason: string }
  /** Its pods run, and none of them takes requests any more. */
  | { condition: "unresponsive"; reason: string }
  /** `crashed` is the pod whose log tells more. */
  | { condition: "failed"; reason: string; crashed: string | null };

/** Reasons to wait that no waiting ends; a first failed pull (`ErrImagePull`) may be followed by one that works. */
const hopeless = [
  "ImagePullBackOff",
  "InvalidImageName",
  "ErrImageNeverPull",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
];

/**
 * The cluster's own reasons for a server's state.
 * @param needed pods that have to be available: all of them at a start, one of them afterwards
 */
export function conditionOf(
  { deployment, image }: ServerView,
  pods: readonly ObservedPod[],
  needed: number,
): ServerCondition {
  const { spec, status } = deployment;
  const changed = spec.template.spec.containers[0]?.image;
  if (changed !== image) {
    const reason = `somebody changed its image to ${String(changed)}: stop it, and it is started anew from ${image}`;
    return { condition: "failed", reason, crashed: null };
  }
  // Its own marks are annotations, which count as another generation; what its controller has seen once stays so.
  if (status.observedGeneration === 0) {
    return { condition: "starting", reason: "the cluster's deployment controller has not looked at it yet" };
  }
  if (spec.replicas === 0) {
    const reason =
      "somebody scaled its Deployment to 0 pods, where no autoscaler acts: a start gives it pods again";
    return { condition: "failed", reason, crashed: null };
  }
  if (status.availableReplicas >= needed) return { condition: "available" };
  const failure = pods.flatMap((pod) => podFailure(pod))[0] ?? deploymentFailure(deployment, pods);
  if (failure !== undefined) return { condition: "failed", ...failure };
  const started = pods.filter(isStarted);
  const count = `${status.availableReplicas} of ${spec.replicas} pods are available`;
  if (needed === 1 && started.length > 0) {
    return {
      condition: "unresponsive",
      reason: `${count}; its pods run and do not answer their readiness probe`,
    };
  }
  return { condition: "starting", reason: unschedulable(pods) ?? waitingReason(pods) ?? count };
}

interface Failure {
  reason: string;
  crashed: string | null;
}

function podFailure({ metadata, status }: ObservedPod): Failure[] {
  if (status.phase === "Failed") {
    return [
      { reason: `pod ${metadata.name} failed: ${status.reason} ${status.message}`.trim(), crashed: null },
    ];
  }
  return status.containerStatuses.flatMap((container) => containerFailure(metadata.name, container));
}

function containerFailure(pod: string, { state, lastState, restartCount }: ContainerStatus): Failure[] {
  const { waiting } = state;
  if (waiting !== null && hopeless.includes(waiting.reason)) {
    return [{ reason: `${waiting.reason}: ${waiting.message}`, crashed: null }];
  }
  const ended = state.terminated ?? lastState.terminated;
  if (ended === null) return [];
  if (ended.reason === "OOMKilled") {
    const reason = "OOMKilled: it used more memory than its memory_limit; deploy it with a larger one";
    return [{ reason, crashed: null }];
  }
  const isGivenUp = waiting?.reason === "CrashLoopBackOff" || (state.terminated !== null && restartCount > 0);
  return isGivenUp
    ? [{ reason: `its container has ended with exit code ${ended.exitCode}`, crashed: pod }]
    : [];
}

function deploymentFailure(
  { status }: ServerView["deployment"],
  pods: readonly ObservedPod[],
): Failure | undefined {
  const quota = status.conditions.find(({ type, status: is }) => type === "ReplicaFailure" && is === "True");
  if (quota !== undefined) return { reason: `${quota.reason}: ${quota.message}`, crashed: null };
  const late = status.conditions.find(
    ({ type, status: is, reason }) =>
      type === "Progressing" && is === "False" && reason === "ProgressDeadlineExceeded",
  );
  if (late === undefined) return undefined;
  const why = unschedulable(pods) ?? waitingReason(pods) ?? late.message;
  return { reason: `ProgressDeadlineExceeded: ${why}`, crashed: null };
}

function unschedulable(pods: readonly ObservedPod[]): string | null {
  for (const { status } of pods) {
    const found = status.conditions.find(({ type, status: is }) => type === "PodScheduled" && is === "False");
    if (found !== undefined) return `${found.reason}: ${found.message}`;
  }
  return null;
}

function waitingReason(pods: readonly ObservedPod[]): string | null {
  for (const { status } of pods) {
    for (const { state } of status.containerStatuses) {
      if (state.waiting !== null && state.waiting.message !== "") {
        return `${state.waiting.reason}: ${state.waiting.message}`;
      }
    }
  }
  return null;
}

function isStarted({ status }: ObservedPod): boolean {
  return status.containerStatuses.some(({ name, started }) => name === SERVER_CONTAINER && started === true);
}
