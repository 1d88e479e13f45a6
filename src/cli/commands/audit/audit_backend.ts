import { ALL } from "../../../agents/model_deployer/domain/access/roles.ts";
import { auditLinks, linkView, verifyChain } from "../../../service/audit/audit_chain.ts";
import { authorizedActor } from "../../invocation/requester.ts";
import type { AuditBackend } from "../../remote/backends.ts";
import { remoteAuditBackend } from "../../remote/remote_backends.ts";
import type { Invocation } from "../../invocation/invocation.ts";

/** @throws NotAuthenticatedError | NotPermittedError */
export async function withAuditBackend<T>(
  invocation: Invocation,
  work: (backend: AuditBackend) => Promise<T>,
): Promise<T> {
  const remote = await invocation.remote();
  if (remote !== null) return work(remoteAuditBackend(remote));
  return invocation.withObserver(async ({ database }) => {
    const needs = { right: "administer", extent: ALL, subject: "the audit trail" } as const;
    await authorizedActor(invocation, database, needs);
    const { auditTrail } = database;
    return work({
      newest: async ({ limit, who = null, subject = null }) =>
        (await auditTrail.newest({ limit, who, subject })).map(linkView),
      after: (sequence, limit) => auditTrail.after(sequence, limit),
      verify: async (includes) => {
        const head = await auditTrail.head();
        return verifyChain(auditLinks(auditTrail), { head, includes, isWhole: true });
      },
    });
  });
}
