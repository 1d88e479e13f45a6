import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import { NODE_ADDRESS } from "../control_plane.ts";
import type { RunningContainer } from "./running_container.ts";

export const LOGS_PORT = 10_250;

/** What an API server asks a node for when somebody reads a container's output. */
export async function startKubeletLogs(
  folder: string,
  find: (pod: string, container: string) => RunningContainer | undefined,
): Promise<void> {
  const [key, cert] = [join(folder, "node.key"), join(folder, "node.crt")];
  const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=node"];
  execFileSync("openssl", [...request, "-keyout", key, "-out", cert], { stdio: "ignore" });
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (asked, answer) => {
    const url = new URL(asked.url ?? "/", "https://node");
    const [, , , pod = "", container = ""] = url.pathname.split("/");
    const found = find(pod, container);
    if (found === undefined) return void answer.writeHead(404).end();
    answer.writeHead(200, { "content-type": "text/plain" }).end(printed(found, url.searchParams));
  });
  server.listen(LOGS_PORT, NODE_ADDRESS);
  await once(server, "listening");
}

function printed({ lines }: RunningContainer, asked: URLSearchParams): string {
  const since = (asked.get("sinceTime") ?? "").slice(0, "2026-01-31T08:30:00".length);
  const later = lines.filter(({ time }) => time >= since);
  const tail = asked.get("tailLines");
  const shown = tail === null ? later : later.slice(-Number(tail) || later.length);
  const isTimed = asked.get("timestamps") === "true";
  const text = shown.map(({ time, text: line }) => `${isTimed ? `${time} ` : ""}${line}\n`).join("");
  return text.slice(0, Number(asked.get("limitBytes") ?? text.length));
}
