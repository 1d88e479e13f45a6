import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Ingress } from "../../agents/model_deployer/domain/ingress/ingress_policy.ts";
import { AgentError } from "../../agents/base/agent_error.ts";
import { EndpointCreationError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import {
  childEnvironment,
  findProcess,
  readLogTail,
  startProcess,
  stopProcess,
} from "../../platform/processes/managed_process.ts";
import { EnvoyAdmin } from "./admin.ts";
import { envoyService } from "./admin_readings.ts";
import { toBootstrap } from "./bootstrap.ts";
import { toClusterFile } from "./cluster_config.ts";
import {
  chooseListener,
  isListenerFree,
  prepareSocketFolder,
  type EndpointFolder,
  type Listener,
} from "./endpoint_folder.ts";
import { type FenceFiles, GenerationFence } from "./generation_fence.ts";
import { prepareIngress } from "./ingress/ingress_change.ts";
import { IngressFiles, ingressPaths } from "./ingress/ingress_files.ts";
import { toRouteFile } from "./route_config.ts";
import { isMissing } from "../../platform/system_errors.ts";

const processName = "envoy";
const startDeadlineMs = 15_000;
const stopGraceMs = 2_000;
const portGraceMs = 2_000;
const pollMs = 5;

export async function isRunning(folder: EndpointFolder): Promise<boolean> {
  return (await findProcess(folder.run, processName)) !== null;
}

/** The last line of Envoy's log, which names the reason of a refusal. */
export async function lastComplaint(folder: EndpointFolder): Promise<string> {
  const line = await readLogTail(folder.run, processName, 1);
  return line.replace(/^(\[[^\]]*\]\s*)+/, "");
}

export interface StartOptions {
  envoyPath: string;
  bindHost: string;
  files: FenceFiles;
  /** Asked before Envoy is started, so that none ever runs without its policy. */
  ingressOf: () => Promise<Ingress>;
}

/** Where the listener's filters change, connections go on under the former ones until their answer, and for so long. */
const drainSeconds = 10;

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
        ...["--drain-time-s", String(drainSeconds), "--drain-strategy", "immediate"],
      ],
      env: childEnvironment(),
    });
  }
  try {
    await untilReady(folder, listener, { signal, isAdopted: wasRunning });
  } catch (error) {
    // An opener that gave up leaves the process to other openers that wait for it.
    const isOurs = !wasRunning && error instanceof EndpointCreationError;
    if (isOurs) await stopProcess(folder.run, processName, { graceMs: stopGraceMs });
    throw error;
  }
  return listener;
}

async function writeStartFiles(
  folder: EndpointFolder,
  listener: Listener,
  fence: GenerationFence,
  files: FenceFiles,
): Promise<void> {
  const nothing = {
    endpoint_name: folder.endpoint_name,
    generation: 0,
    weights: {},
    mirror_deployment_id: null,
  };
  await setAsideIfDamaged(folder.routes);
  await setAsideIfDamaged(folder.clusters);
  await fence.createOnce(folder.routes, toRouteFile(nothing, folder.answer_seconds));
  await fence.createOnce(folder.clusters, toClusterFile([]).content);
  const bootstrap = toBootstrap({
    endpoint_name: folder.endpoint_name,
    host: listener.host,
    port: listener.port,
    admin_socket: listener.admin_socket,
    folder: folder.root,
    clusters_file: folder.clusters,
    routes_file: folder.routes,
    listener_file: ingressPaths(folder).listener,
  });
  const fresh = `${folder.bootstrap}.${randomUUID()}`;
  await files.writeFile(fresh, bootstrap, { mode: 0o600, flag: "wx" });
  await rename(fresh, folder.bootstrap);
}

/**
 * A file that a power cut left half written would keep Envoy from starting; without it the endpoint begins at
 * generation 0.
 */
async function setAsideIfDamaged(path: string): Promise<void> {
  try {
    JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (isMissing(error)) return;
    if (!(error instanceof SyntaxError)) throw error;
    await rename(path, `${path}.damaged`);
  }
}

/** The kernel takes a moment to close a killed Envoy's sockets; a port that stays taken longer is somebody else's. */
async function untilPortIsFree(folder: EndpointFolder, listener: Listener): Promise<void> {
  const deadline = performance.now() + portGraceMs;
  while (!(await isListenerFree(listener.port, listener.host))) {
    if (await isRunning(folder)) return;
    if (performance.now() > deadline) throw portTaken(folder, listener);
    await delay(pollMs);
  }
}

async function untilReady(
  folder: EndpointFolder,
  listener: Listener,
  { signal, isAdopted }: { signal: AbortSignal; isAdopted: boolean },
): Promise<void> {
  const admin = new EnvoyAdmin(folder.endpoint_name, listener.admin_socket);
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(startDeadlineMs)]);
  let lastError: unknown;
  try {
    while (!bounded.aborted) {
      try {
        const state = await admin.state(bounded);
        if (state === "LIVE" && (await admin.route(bounded)) !== null) return;
        if (state === "LIVE" && (await hasNoListener(admin, bounded))) {
          throw await startFailure(folder, listener, { cause: lastError, listens: false });
        }
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        lastError = error;
      }
      if (!(await isRunning(folder))) throw await startFailure(folder, listener, { cause: lastError });
      await delay(pollMs);
    }
    // An adopted Envoy may answer again; one that we started and that never answered is of no use.
    if (!signal.aborted && !isAdopted) throw await startFailure(folder, listener, { cause: lastError });
    throw new ServiceUnavailableError(
      envoyService,
      `opening endpoint ${folder.endpoint_name} was given up before its Envoy was ready`,
      { cause: lastError },
    );
  } finally {
    await admin.disconnect();
  }
}

/** One that it cannot have, since the port is taken or its certificate is of no use. */
async function hasNoListener(admin: EnvoyAdmin, signal: AbortSignal): Promise<boolean> {
  const found = await admin.ingress(signal);
  return found !== null && found.listener.version === "" && found.listener.rejected > 0;
}

async function startFailure(
  folder: EndpointFolder,
  listener: Listener,
  { cause, listens = true }: { cause: unknown; listens?: boolean },
): Promise<EndpointCreationError> {
  const name = folder.endpoint_name;
  const runs = await isRunning(folder);
  if (!(runs && listens) && !(await isListenerFree(listener.port, listener.host)))
    return portTaken(folder, listener, cause);
  const end = runs ? "was not ready in time" : "ended at its start";
  return new EndpointCreationError(`Envoy of endpoint ${name} ${end}: ${await lastComplaint(folder)}`, {
    cause,
    details: { endpoint_name: name, port: listener.port },
  });
}

function portTaken(folder: EndpointFolder, { host, port }: Listener, cause?: unknown): EndpointCreationError {
  const name = folder.endpoint_name;
  return new EndpointCreationError(
    `endpoint ${name} keeps port ${port} on ${host}, which another program has taken; end that program`,
    { cause, details: { endpoint_name: name, port } },
  );
}

/** Stops accepting, lets requests under way end, then ends the process. Idempotent; files and address stay. */
export async function stopEnvoy(
  folder: EndpointFolder,
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  if (await isRunning(folder)) await drain(folder, listener, signal);
  await stopProcess(folder.run, processName, { graceMs: stopGraceMs });
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
      await delay(pollMs);
    }
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
  } finally {
    await admin.disconnect();
  }
}
