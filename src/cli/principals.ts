import { randomBytes } from "node:crypto";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Execute } from "./program.ts";
import { report } from "./runner.ts";
import { principalReportSchema } from "./schemas.ts";

export function addPrincipals(program: CommandUnknownOpts, execute: Execute): void {
  const principals = program.command("principals").description("who may ask and approve");
  principals
    .command("enrol <principal>")
    .description(
      "make a token for a principal and show it once; one that is enrolled again has the new token only",
    )
    .action((principal) =>
      execute("principals enrol", (invocation) =>
        invocation.withObserver(async ({ database }) => {
          const token = randomBytes(24).toString("base64url");
          await database.principals.enrol(principal, token);
          return report(principalReportSchema, { principal, token }, (data, paint) => [
            `${data.principal} is enrolled; the token is shown this once:`,
            paint.bold(data.token),
          ]);
        }),
      ),
    );
}
