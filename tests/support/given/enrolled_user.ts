import { randomBytes } from "node:crypto";
import type { DeployerDatabase } from "../../../src/database/index.ts";
import { operatingUser } from "../../../src/platform/operating_user.ts";

/** Makes this machine's user a principal, `ana`: what is asked for without a token is hers, and needs no approval more. */
export async function enrolOperatingUser({
  principals,
  logins,
}: Pick<DeployerDatabase, "principals" | "logins">): Promise<void> {
  await principals.enrol("ana", randomBytes(24).toString("hex"));
  await logins.link("ana", { provider: "os", subject: operatingUser().user }, { who: "tests", origin: null });
}
