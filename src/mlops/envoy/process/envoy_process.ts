import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Ingress } from "../../../agents/model_deployer/domain/access/ingress_policy.ts";
import { AgentError } from "../../../agents/base/agent_error.ts";
import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import { childEnvironment, startProcess, stopProcess } from "../../../platform/processes/managed_process.ts";
import { EnvoyAdmin } from "../admin.ts";
import {
  chooseListener,
  prepareSocketFolder,
  type EndpointFolder,
  type Listener,
} from "../endpoint_folder.ts";
import { type FenceFiles, GenerationFence } from "../generation_fence.ts";
import { prepareIngress } from "../ingress/ingress_change.ts";
import { IngressFiles } from "../ingress/ingress_files.ts";
import { isRunning, processName } from "./running_envoy.ts";
import { writeStartFiles } from "./start_files.ts";
import { untilPortIsFree, untilReady, POLL_MS } from "./awaited_envoy.ts";

const STOP_GRACE_MS = 2_000;

export interface StartOptions {
  envoyPath: string;
  bindHost: string;
  files: FenceFiles;
  /** Asked before Envoy is started, so that none ever runs without its policy. */
  ingressOf: () => Promise<Ingress>;
}

/** Where the listener's filters change, connections go on under the former ones until their answer, and for so long. */
const DRAIN_SECONDS = 10;

/**
 * Starts the endpoint's Envoy, or adopts the running one, with the files that were last put into force.
 *
 * @throws EndpointCreationError when its port is taken or it does not come up; then nothing is left running.
 */
export async function startEnvoy(
  folder: EndpointFolder,
  { envoyPath, bindHost, files, ingressOf }: StartOptions,
  signal: AbortSignal,
): Promise<Listener> {
  const fence = new GenerationFence(folder, files);
  await mkdir(folder.root, { recursive: true, mode: 0o700 });
  await fence.prepare();
  const listener = await chooseListener(folder, fence, bindHost);
  await prepareSocketFolder(listener);
  const wasRunning = await isRunning(folder);
  if (!wasRunning) {
    const ingress = await ingressOf();
    await prepareIngress(await new IngressFiles(folder, listener, files).carrier(), ingress);
    await writeStartFiles(folder, listener, fence, files);
    await untilPortIsFree(folder, listener);
    await startProcess({
      name: processName,
      runDirectory: folder.run,
      command: envoyPath,
      args: [
        ...["--config-path", folder.bootstrap],
        ...["--config-yaml", JSON.stringify({ node: { id: randomUUID() } })],
        ...["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"],
        // An unknown field would be left out, and with it what it demands.
        "--reject-unknown-dynamic-fields",
        ...["--drain-time-s", String(DRAIN_SECONDS), "--drain-strategy", "immediate"],
      ],
      env: childEnvironment(),
    });
  }
  try {
    await untilReady(folder, listener, { signal, isAdopted: wasRunning });
  } catch (error) {
    // An opener that gave up leaves the process to other openers that wait for it.
    const isOurs = !wasRunning && error instanceof EndpointCreationError;
    if (isOurs) await stopProcess(folder.run, processName, { graceMs: STOP_GRACE_MS });
    throw error;
  }
  return listener;
}

/** Stops accepting, lets requests under way end, then ends the process. Idempotent; files and address stay. */
export async function stopEnvoy(
  folder: EndpointFolder,
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  if (await isRunning(folder)) await drain(folder, listener, signal);
  await stopProcess(folder.run, processName, { graceMs: STOP_GRACE_MS });
}

/** An Envoy that does not answer cannot drain, and is ended all the same. */
async function drain(folder: EndpointFolder, listener: Listener, signal: AbortSignal): Promise<void> {
  const admin = new EnvoyAdmin(folder.endpoint_name, listener.admin_socket);
  const deadlineMs = (folder.answer_seconds + 1) * 1000;
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  const gauge = "http.ingress.downstream_rq_active";
  try {
    await admin.stopListening(bounded);
    while (!bounded.aborted) {
      const { values } = await admin.stats(`^${gauge.replaceAll(".", "\\.")}$`, bounded);
      if (Number(values.get(gauge) ?? 0) === 0) return;
      await delay(POLL_MS);
    }
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
  } finally {
    await admin.disconnect();
  }
}
