import { ALL } from "../../../agents/model_deployer/domain/access/roles.ts";
import { setSink, sinksReport, trySink } from "../../../service/notifications/sink_administration.ts";
import type { SinkBackend } from "../../remote/backends.ts";
import { remoteSinkBackend } from "../../remote/remote_backends.ts";
import { authorizedActor } from "../../invocation/requester.ts";
import type { Invocation } from "../../invocation/invocation.ts";

const NEEDS = { right: "configure", extent: ALL, subject: "notifications" } as const;

/** Opens the backend that the environment names. @throws NotAuthenticatedError | NotPermittedError */
export async function withSinkBackend<T>(
  invocation: Invocation,
  work: (backend: SinkBackend) => Promise<T>,
): Promise<T> {
  const remote = await invocation.remote();
  if (remote !== null) return work(remoteSinkBackend(remote));
  return invocation.withObserver(async ({ database, secrets }) => {
    const actor = () => authorizedActor(invocation, database, NEEDS);
    return work({
      list: () => sinksReport(database),
      set: async (name, request) => setSink({ database, secrets }, name, request, await actor()),
      tryOut: async (name) => {
        const { noticeSender } = await import("../../../wiring/notice_sender.ts");
        const sender = noticeSender(await invocation.configuration(), secrets);
        return trySink({ database, sender }, name, await actor(), invocation.signal);
      },
      retry: async (name) => {
        await actor();
        return { sink_name: name, notices: await database.sinks.retry(name) };
      },
      remove: async (name) => {
        await database.sinks.remove(name, await actor());
        return { sink_name: name };
      },
    });
  });
}
