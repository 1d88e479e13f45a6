import { NODE_ADDRESS } from "../control_plane.ts";
import type { RunningContainer } from "./running_container.ts";
import type { RunningPod } from "./running_pod.ts";

/** What a kubelet says of a pod. */
export function podStatus({ pod, address, startedAt, containers, problem }: RunningPod): object {
  const isReady = containers.length === pod.spec.containers.length && containers.every((one) => one.isReady);
  const condition = (type: string, isTrue: boolean) => ({ type, status: isTrue ? "True" : "False" });
  const containerStatuses = pod.spec.containers.map(({ name, image }) => {
    const running = containers.find(({ spec }) => spec.name === name);
    return {
      name,
      image,
      imageID: image,
      ready: running?.isReady ?? false,
      started: running?.isStarted ?? false,
      restartCount: running?.restarts ?? 0,
      ...stateOf(running, problem, name, startedAt),
    };
  });
  return {
    phase: containers.some((one) => one.isRunning) ? "Running" : "Pending",
    startTime: startedAt,
    hostIP: NODE_ADDRESS,
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: [
      condition("PodScheduled", true),
      condition("Initialized", true),
      condition("ContainersReady", isReady),
      condition("Ready", isReady),
    ],
    containerStatuses,
  };
}

/** What is over is null, so that a merge takes it away. */
function stateOf(
  container: RunningContainer | undefined,
  problem: RunningPod["problem"],
  name: string,
  startedAt: string,
): object {
  if (container === undefined) {
    const { reason, message } =
      problem?.container === name ? problem : { reason: "ContainerCreating", message: "" };
    return { state: { waiting: { reason, message }, running: null } };
  }
  const ended = {
    exitCode: container.exitCode ?? 0,
    reason: container.exitCode === 0 ? "Completed" : "Error",
  };
  const lastState = container.exitCode === null ? {} : { lastState: { terminated: ended } };
  if (container.isRunning) return { state: { running: { startedAt }, waiting: null }, ...lastState };
  const waiting = { reason: "CrashLoopBackOff", message: "back-off restarting failed container" };
  return { state: { waiting, running: null }, ...lastState };
}
