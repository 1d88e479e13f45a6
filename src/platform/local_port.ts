import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { z } from "zod";

const portSchema = z.coerce.number().int().min(1024).max(65_535);

/** The port kept in the file; null when there is none. */
export async function readKeptPort(path: string): Promise<number | null> {
  const text = await readFile(path, "utf8").catch(() => "");
  const port = portSchema.safeParse(text.trim() === "" ? undefined : text.trim());
  return port.success ? port.data : null;
}

/** The port kept in the file if it is still free on 127.0.0.1, else a free one, which is kept from now on. */
export async function keepFreePort(path: string): Promise<number> {
  const kept = await readKeptPort(path);
  const free = kept === null ? null : await tryPort(kept);
  const port = free ?? (await tryPort(0));
  if (port === null) throw new RangeError("the operating system has no free port on 127.0.0.1");
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, `${port}\n`, { mode: 0o600 });
  return port;
}

/** The port that was bound for a moment; null when it is taken. Port 0 lets the operating system choose. */
async function tryPort(port: number): Promise<number | null> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  } catch {
    return null;
  }
  const address = server.address();
  server.close();
  await once(server, "close");
  return address !== null && typeof address === "object" ? address.port : null;
}
