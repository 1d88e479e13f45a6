import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { DeployerDatabase } from "../../database/index.ts";
import type { Principals } from "../../agents/model_deployer/ports/stores/approval_stores.ts";
import { operatingUser } from "../../platform/operating_user.ts";
import { isMissing } from "../../platform/system_errors.ts";

interface Home {
  home: string;
  installation: "standard" | "demo" | "existing";
}

/** The two principals of a demo, so that one person can try what somebody else's approval does. */
export const DEMO_ENGINEER = "ana";
export const DEMO_APPROVER = "omar";

const BY = { who: "example", origin: null };

const tokenFile = (home: string, person: string): string => join(home, "people", `${person}.token`);

/** Enrols the demo's people once; their tokens lie in the home, for this user alone. */
export async function enrolDemoPeople(
  { home }: Home,
  { principals, logins }: Pick<DeployerDatabase, "principals" | "logins">,
): Promise<void> {
  const isNew = await enrolOnce(home, DEMO_ENGINEER, principals);
  await enrolOnce(home, DEMO_APPROVER, principals);
  // Requests without a token are those of the operating system's user, who is the demo's engineer.
  if (isNew) await logins.link(DEMO_ENGINEER, { provider: "os", subject: operatingUser().user }, BY);
}

/** Whether it was not there before. */
async function enrolOnce(home: string, person: string, principals: Principals): Promise<boolean> {
  const file = tokenFile(home, person);
  if ((await textOf(file)) !== null) return false;
  const token = randomBytes(24).toString("base64url");
  await principals.enrol(person, token, { by: BY });
  await mkdir(join(home, "people"), { recursive: true, mode: 0o700 });
  await writeFile(file, `${token}\n`, { mode: 0o600 });
  return true;
}

/** As a command names it; null where the installation is no demo, or `up` has not run there. */
export async function approverTokenFile({ home, installation }: Home): Promise<string | null> {
  const file = tokenFile(home, DEMO_APPROVER);
  return installation === "demo" && (await textOf(file)) !== null ? relative(process.cwd(), file) : null;
}

async function textOf(file: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** The token of one of them; null where the installation is no demo. */
export async function demoToken({ home, installation }: Home, person: string): Promise<string | null> {
  return installation === "demo" ? ((await textOf(tokenFile(home, person)))?.trim() ?? null) : null;
}
