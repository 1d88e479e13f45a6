import { randomBytes } from "node:crypto";
import { becomesFree, findFreePort } from "../../../platform/free_port.ts";
import type { ServedProcesses } from "./served_process.ts";
import type { ServerRecord, ServerRecords } from "./server_record.ts";

const PORT_RELEASE_MS = 500;

/** A server that is started again keeps its port while that is free, so that routes to it stay right. */
export async function claimPort(
  server: Omit<ServerRecord, "port" | "started_at" | "secret">,
  records: ServerRecords,
  processes: Pick<ServedProcesses, "isRunning">,
): Promise<ServerRecord> {
  const started_at = new Date().toISOString();
  const port = await findFreePort();
  const secret = randomBytes(24).toString("base64url");
  const claimed = await records.claim({ ...server, port, started_at, secret });
  if (claimed.started_at === started_at && claimed.port === port) return claimed;
  const isFree = await becomesFree(claimed.port, PORT_RELEASE_MS);
  // Another starter was quicker: its server is the one to adopt.
  const isSame = claimed.bento_tag === server.bento_tag;
  const isTheirs = isSame && (await processes.isRunning(claimed.process));
  if (!isFree && isTheirs) return claimed;
  // Whoever starts the same server at the same moment gives it this secret: it has one, whichever of them wins.
  const kept = claimed.secret ?? secret;
  const renewed = { ...server, port: isFree ? claimed.port : port, started_at, secret: kept };
  await records.replace(renewed);
  return renewed;
}
