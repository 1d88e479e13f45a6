import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";

const sessionSchema = z.strictObject({ url: z.string(), token: z.string(), expires_at: z.string() });
type KeptSession = z.infer<typeof sessionSchema>;
type Environment = Readonly<Record<string, string | undefined>>;

/** One for each API, of this user alone. */
function pathOf(url: string, { XDG_CONFIG_HOME: configured, HOME: home = homedir() }: Environment): string {
  const { origin } = new URL(url);
  const name = createHash("sha256").update(origin).digest("hex").slice(0, 16);
  return join(configured ?? join(home, ".config"), "model-deployer", `session-${name}.json`);
}

/** The session that `login` opened at this API; null where there is none, or its time is over. */
export async function keptSession(url: string, environment: Environment): Promise<string | null> {
  if (!URL.canParse(url)) return null;
  const text = await readFile(pathOf(url, environment), "utf8").catch(() => "");
  const session = sessionSchema.safeParse(parsed(text));
  return session.success && Date.parse(session.data.expires_at) > Date.now() ? session.data.token : null;
}

/** A file that is no JSON, such as one that was cut short, is no session, and the next `login` writes another. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export async function keepSession(session: KeptSession, environment: Environment): Promise<string> {
  const path = pathOf(session.url, environment);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rm(path, { force: true });
  await writeFile(path, JSON.stringify(session), { mode: 0o600, flag: "wx" });
  return path;
}

export async function forgetSession(url: string, environment: Environment): Promise<void> {
  if (URL.canParse(url)) await rm(pathOf(url, environment), { force: true });
}
