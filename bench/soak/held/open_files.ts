import { readdir, readFile, readlink } from "node:fs/promises";

const LOOK_MS = 200;

/** How many a process has open, by kind: `socket to :5432`, `pipe`, `/proc/*`. */
export type OpenFiles = Record<string, number>;

/** Looks at a process's open files all the time, since most are closed again within milliseconds. */
export class WatchedFiles {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #most = 0;
  #atMost: OpenFiles = {};

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  /** The most that were open since it was last asked, by kind. */
  takeMost(): OpenFiles {
    const taken = this.#atMost;
    this.#most = 0;
    this.#atMost = {};
    return taken;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const names = await namesOf(this.#pid);
    if (names.length <= this.#most) return;
    this.#most = names.length;
    this.#atMost = await kindsOf(this.#pid, names);
  }
}

export async function openFilesOf(pid: number): Promise<OpenFiles> {
  return kindsOf(pid, await namesOf(pid));
}

export const countOf = (files: OpenFiles): number => Object.values(files).reduce((sum, one) => sum + one, 0);

const namesOf = (pid: number): Promise<string[]> => readdir(`/proc/${pid}/fd`).catch(() => []);

async function kindsOf(pid: number, names: readonly string[]): Promise<OpenFiles> {
  const links = names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => null));
  const [targets, sockets] = await Promise.all([Promise.all(links), socketsOf(pid)]);
  const kinds: OpenFiles = {};
  for (const target of targets) {
    if (target === null) continue;
    const kind = kindOf(target, sockets);
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}

function kindOf(target: string, sockets: ReadonlyMap<string, string>): string {
  const [, type = "", name = ""] = /^(socket|pipe|anon_inode):\[?([^\]]*)/.exec(target) ?? [];
  if (type === "socket") return sockets.get(name) ?? "other sockets";
  if (type === "pipe") return "pipes";
  if (type === "anon_inode") return name;
  return target.replace(/^\/(proc|sys)\/.*/, "/$1/*").replaceAll(/[\da-f]{8,}/g, "*");
}

/** By inode, where the TCP connections of the process's network lead to. */
async function socketsOf(pid: number): Promise<Map<string, string>> {
  const tables = ["tcp", "tcp6"].map((name) =>
    readFile(`/proc/${pid}/net/${name}`, "latin1").catch(() => ""),
  );
  const lines = (await Promise.all(tables)).flatMap((table) => table.split("\n").slice(1));
  return new Map(
    lines.flatMap((line): [string, string][] => {
      const [, , remote = "", , , , , , , inode] = line.trim().split(/\s+/);
      const port = Number.parseInt(remote.split(":")[1] ?? "", 16);
      return inode === undefined ? [] : [[inode, `sockets to :${port}`]];
    }),
  );
}
