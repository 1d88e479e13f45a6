import {
  addPrincipalToken,
  enrolPrincipal,
  principalsReport,
} from "../../../service/people/principal_enrolment.ts";
import type { DeployerDatabase } from "../../../database/index.ts";
import { type Actor, ALL } from "../../../agents/model_deployer/domain/access/roles.ts";
import { authorizedActor } from "../../invocation/requester.ts";
import type { PrincipalBackend } from "../../remote/backends.ts";
import { remotePrincipalBackend } from "../../remote/remote_backends.ts";
import type { Invocation } from "../../invocation/invocation.ts";

/** Opens the backend that the environment names. @throws NotAuthenticatedError | NotPermittedError */
export async function withPrincipalBackend<T>(
  invocation: Invocation,
  work: (backend: PrincipalBackend) => Promise<T>,
): Promise<T> {
  const remote = await invocation.remote();
  if (remote !== null) return work(remotePrincipalBackend(remote));
  return invocation.withObserver(async ({ database }) => {
    const needs = { right: "administer", extent: ALL, subject: "principals" } as const;
    return work(databaseBackend(database, await authorizedActor(invocation, database, needs)));
  });
}

function databaseBackend(database: DeployerDatabase, by: Actor): PrincipalBackend {
  const { principalAdministration: administration, logins } = database;
  const after = async (work: Promise<unknown>, principal: string) => {
    await work;
    return principalsReport(database, principal);
  };
  return {
    list: (name) => principalsReport(database, name),
    enrol: (request) => enrolPrincipal(database, request, by),
    token: (name, request) => addPrincipalToken(database, name, request, by),
    revokeToken: (id, name) => after(administration.revokeToken(id, by), name),
    grant: (name, { role, experiment_id }) =>
      after(administration.grant(name, role, experiment_id, by), name),
    revoke: (name, { role, experiment_id }) =>
      after(administration.revokeRole(name, role, experiment_id, by), name),
    remove: (name, { reason }) => administration.remove(name, reason, by),
    link: (name, login) => after(logins.link(name, login, by), name),
    unlink: async (login) => principalsReport(database, (await logins.unlink(login, by)).principal),
  };
}
