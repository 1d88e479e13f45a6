import { readdir, readFile } from "node:fs/promises";

/** A living process as the operating system shows it, whoever knows of it; Linux only. */
export interface MarkedProcess {
  pid: number;
  /** The command line, its words joined by blanks. */
  command: string;
  environment: Record<string, string>;
}

/** All processes but this one in whose command line or environment the text stands, such as the path of a home. */
export async function processesMarked(text: string): Promise<MarkedProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [words, environ] = await Promise.all([listOf(pid, "cmdline"), listOf(pid, "environ")]);
      const isMarked = [...words, ...environ].some((one) => one.includes(text));
      return isMarked
        ? { pid: Number(pid), command: words.join(" "), environment: Object.fromEntries(environ.map(pairOf)) }
        : null;
    }),
  );
  return found.filter((one) => one !== null);
}

/** Empty for a process that has ended meanwhile, or that is not ours to look at. */
async function listOf(pid: string, file: string): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/${file}`, "latin1").catch(() => "");
  return text.split("\0").filter((one) => one !== "");
}

function pairOf(assignment: string): [string, string] {
  const [name = "", ...value] = assignment.split("=");
  return [name, value.join("=")];
}
