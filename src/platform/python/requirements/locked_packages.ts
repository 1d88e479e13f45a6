import type { LockedPackage } from "../../../agents/model_deployer/domain/models/environment_packages.ts";
import { type RequirementLock, WHEELS } from "./requirement_lock.ts";

const PINNED = /^([\w.-]+)(?:\[[^\]]*\])?==([^\s;]+)/;
const ADDRESSED = /^([\w.-]+)(?:\[[^\]]*\])? @ (\S+)/;
const BARE_WHEEL = /^(\S+\.whl)(?:\s|$)/;
const HASH = /--hash=sha256:([0-9a-f]{64})/g;

/** The packages that a lock names, in its order; comments and what names none are left out. */
export function lockedPackages({ packages }: Pick<RequirementLock, "packages">): LockedPackage[] {
  const lines = packages.replaceAll(/\\\n/g, " ").split("\n");
  return lines.flatMap((line) => {
    const found = packageOf(line.trim());
    return found === null
      ? []
      : [{ ...found, sha256: [...line.matchAll(HASH)].map(([, hash = ""]) => hash) }];
  });
}

function packageOf(line: string): Omit<LockedPackage, "sha256"> | null {
  const [pinned, name = "", version = ""] = PINNED.exec(line) ?? [];
  if (pinned !== undefined) return { name: normalized(name), version, address: null };
  const [, named, at] = ADDRESSED.exec(line) ?? [];
  const address = (at ?? BARE_WHEEL.exec(line)?.[1] ?? "").replace(`${WHEELS}/`, "");
  const [wheel = "", wheelVersion] = (address.split("/").at(-1) ?? "").split("-");
  const isWheel = address.endsWith(".whl");
  if (named !== undefined)
    return { name: normalized(named), version: isWheel ? (wheelVersion ?? null) : null, address };
  return isWheel ? { name: normalized(wheel), version: wheelVersion ?? null, address } : null;
}

/** https://peps.python.org/pep-0503/#normalized-names */
export const normalized = (name: string): string => name.replaceAll(/[-_.]+/g, "-").toLowerCase();
