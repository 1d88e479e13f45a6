import { createHash } from "node:crypto";
import { lstat, mkdir, readdir, readFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { EndpointCreationError } from "../../agents/model_deployer/errors.ts";
import { answerSeconds } from "../../agents/model_deployer/ports/model_server_port.ts";
import { isPortFree } from "../../platform/free_port.ts";
import type { GenerationFence } from "./generation_fence.ts";
import { hasCode, isMissing } from "../../platform/system_errors.ts";
import { LOOPBACK } from "../../platform/loopback.ts";

/** Where an endpoint's files lie; nothing in it is shared with another endpoint. */
export interface EndpointFolder {
  endpoint_name: string;
  /** Seconds that the router waits for a server's answer. */
  answer_seconds: number;
  root: string;
  bootstrap: string;
  listener: string;
  clusters: string;
  routes: string;
  claims: string;
  pending: string;
  run: string;
}

/** Chosen at the first opening and kept. */
const listenerSchema = z.strictObject({
  /** IPv4 address; files that were written without it mean 127.0.0.1. */
  host: z.ipv4().default(LOOPBACK),
  port: z.int(),
  admin_socket: z.string(),
});
export type Listener = z.infer<typeof listenerSchema>;

export function endpointFolder(
  home: string,
  endpointName: string,
  answer_seconds = answerSeconds(),
): EndpointFolder {
  const root = join(home, "router", endpointName);
  return {
    endpoint_name: endpointName,
    answer_seconds,
    root,
    bootstrap: join(root, "bootstrap.json"),
    listener: join(root, "listener.json"),
    clusters: join(root, "cds.json"),
    routes: join(root, "rds.json"),
    claims: join(root, "claims"),
    pending: join(root, "pending"),
    run: join(root, "run"),
  };
}

/** Where the routers' logs lie. */
export async function routerRunDirectories(home: string): Promise<string[]> {
  const entries = await readdir(join(home, "router"), { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => endpointFolder(home, name).run);
}

/** Null when the endpoint was never opened. @throws EndpointCreationError for a file that is not ours */
export async function readListener(folder: EndpointFolder): Promise<Listener | null> {
  try {
    return listenerSchema.parse(JSON.parse(await readFile(folder.listener, "utf8")));
  } catch (cause) {
    if (isMissing(cause)) return null;
    throw new EndpointCreationError(
      `${folder.listener} cannot be read; restore it, or remove ${folder.root} to give the endpoint a new address`,
      { cause },
    );
  }
}

/** The listener that was chosen earlier or by a concurrent opener, or a new one. */
export async function chooseListener(
  folder: EndpointFolder,
  fence: GenerationFence,
  host: string,
): Promise<Listener> {
  const kept = await readListener(folder);
  if (kept !== null) return kept;
  const chosen = { host, port: await choosePort(folder, host), admin_socket: adminSocketPath(folder) };
  const created = await fence.createOnce(folder.listener, JSON.stringify(chosen));
  return created ? chosen : ((await readListener(folder)) ?? chosen);
}

/** Below the ports that systems hand out to outgoing connections, one of which could take it while Envoy is down. */
const FIRST_PORT = 20_000;
const PORT_COUNT = 10_000;

async function choosePort(folder: EndpointFolder, host: string): Promise<number> {
  const kept = await portsOfSiblings(folder);
  const start = Math.floor(Math.random() * PORT_COUNT);
  for (let offset = 0; offset < PORT_COUNT; offset += 1) {
    const port = FIRST_PORT + ((start + offset) % PORT_COUNT);
    if (!kept.has(port) && (await isListenerFree(port, host))) return port;
  }
  throw new EndpointCreationError(
    `endpoint ${folder.endpoint_name}: no free port between ${FIRST_PORT} and ${FIRST_PORT + PORT_COUNT - 1}`,
  );
}

/**
 * An unreadable sibling is reported by its own endpoint; if its port is chosen again, the port is found taken later.
 */
async function portsOfSiblings(folder: EndpointFolder): Promise<Set<number>> {
  const entries = await readdir(dirname(folder.root), { withFileTypes: true });
  const home = dirname(dirname(folder.root));
  const listeners = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => readListener(endpointFolder(home, entry.name)).catch(() => null)),
  );
  return new Set(listeners.flatMap((listener) => (listener === null ? [] : [listener.port])));
}

/** @throws EndpointCreationError where the host is no address of this machine */
export async function isListenerFree(port: number, host: string): Promise<boolean> {
  try {
    return await isPortFree(port, host);
  } catch (error) {
    throw hasCode(error, "EADDRNOTAVAIL") ? noAddressHere(host, error) : error;
  }
}

function noAddressHere(host: string, cause: unknown): EndpointCreationError {
  return new EndpointCreationError(
    `${host} is no address of this machine; set MODEL_DEPLOYER_BIND_HOST to one that is, or to 0.0.0.0`,
    { cause, details: { host } },
  );
}

/** Unix socket paths end at 108 bytes on Linux, 104 elsewhere. */
const MAXIMUM_SOCKET_PATH = 100;

function adminSocketPath(folder: EndpointFolder): string {
  const beside = join(folder.root, "admin.sock");
  if (Buffer.byteLength(beside) <= MAXIMUM_SOCKET_PATH) return beside;
  const digest = createHash("sha256").update(folder.root).digest("hex").slice(0, 16);
  return join(tmpdir(), `model-deployer-${userInfo().uid}-${digest}`, "admin.sock");
}

/** Makes the socket's folder, or accepts the one that is there if it is ours alone. @throws EndpointCreationError */
export async function prepareSocketFolder(listener: Listener): Promise<void> {
  const folder = dirname(listener.admin_socket);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  const isOurs = found.isDirectory() && found.uid === userInfo().uid && (found.mode & 0o077) === 0;
  if (isOurs) return;
  throw new EndpointCreationError(
    `${folder} must be a folder of user ${userInfo().uid} with mode 0700, to hold Envoy's admin socket; remove it`,
  );
}
