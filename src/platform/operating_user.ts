import { hostname, userInfo } from "node:os";

/** The user and machine that this process runs as; a user without a name, as in a container, by number. */
export function operatingUser(): { user: string; host: string } {
  return { user: nameOfUser(), host: hostname() };
}

function nameOfUser(): string {
  try {
    return userInfo().username;
  } catch (error) {
    // No entry of the system's users has this number.
    if (!(error instanceof Error && "code" in error)) throw error;
    return `uid:${process.getuid?.() ?? "unknown"}`;
  }
}
