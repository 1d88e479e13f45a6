import { lstat, opendir } from "node:fs/promises";
import { join, relative } from "node:path";
import { isMissing } from "../../../platform/system_errors.ts";
import { count } from "../../../agents/model_deployer/planning/wording/count.ts";
import { fine, type DoctorFinding, weak } from "./doctor_finding.ts";

/** Files that hold a secret. */
const SECRET = /password|secret|token|redis\.conf$|\.key$|^\.env$/;
const OTHERS_WRITE = 0o002;
const NOT_THE_OWNER = 0o077;
/** Folders below this depth are written by models and services, and are not looked into. */
const DEPTH = 3;
const MOST_ENTRIES = 5000;
const SHOWN = 3;

/** Whether anybody but its owner may read a secret of the home, or change what lies in it. */
export async function checkRights(home: string): Promise<DoctorFinding> {
  const open: string[] = [];
  let seen = 0;
  for await (const { path, name, mode, isFile } of entriesOf(home, DEPTH)) {
    seen += 1;
    if (seen > MOST_ENTRIES) break;
    const isOpen =
      (mode & OTHERS_WRITE) !== 0 || (isFile && SECRET.test(name) && (mode & NOT_THE_OWNER) !== 0);
    if (isOpen) open.push(`${relative(home, path) || home} (${(mode & 0o777).toString(8)})`);
  }
  if (seen === 0) return fine(`${home} does not exist yet`);
  if (open.length === 0)
    return fine("no secret of the home can be read by others, and nothing in it changed");
  const shown = open.slice(0, SHOWN).join(", ");
  return weak(
    `others may read or change ${count(open.length, "file")} of the home: ${shown}`,
    `chmod -R o-w ${home}, and chmod 600 what holds a secret`,
  );
}

interface Entry {
  path: string;
  name: string;
  mode: number;
  isFile: boolean;
}

async function* entriesOf(path: string, depth: number): AsyncGenerator<Entry> {
  const found = await lstat(path).catch(nullWhereGone);
  // A link's own mode says nothing.
  if (found === null || found.isSymbolicLink()) return;
  yield { path, name: path.slice(path.lastIndexOf("/") + 1), mode: found.mode, isFile: found.isFile() };
  if (!found.isDirectory() || depth === 0) return;
  // The database's own folder is of another user, where this process is root.
  const folder = await opendir(path).catch(() => null);
  if (folder === null) return;
  for await (const { name } of folder) yield* entriesOf(join(path, name), depth - 1);
}

function nullWhereGone(cause: unknown): null {
  if (isMissing(cause)) return null;
  throw cause;
}
