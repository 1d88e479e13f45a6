import type { IngressPolicy } from "../../../agents/model_deployer/domain/access/ingress_policy.ts";
import {
  changeIngressPolicy,
  ingressReport,
  makeKey,
  namedEndpoint,
  revokeKey,
} from "../../../service/ingress/ingress_administration.ts";
import type { Observer } from "../../../wiring/observer.ts";
import { authorizedActor } from "../../invocation/requester.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import type { IngressBackend } from "../../remote/backends.ts";
import { remoteIngressBackend } from "../../remote/remote_backends.ts";
import { certificateOf, changeOf } from "./ingress_options.ts";

/** Opens the backend that the environment names. */
export async function withIngressBackend<T>(
  invocation: Invocation,
  work: (backend: IngressBackend) => Promise<T>,
): Promise<T> {
  const remote = await invocation.remote();
  if (remote !== null) return work(remoteIngressBackend(remote));
  return invocation.withObserver((observer) => work(databaseBackend(invocation, observer)));
}

function databaseBackend(invocation: Invocation, observer: Observer): IngressBackend {
  const { signal } = invocation;
  const { database } = observer;
  const show = async (name: string) => ingressReport(await namedEndpoint(name, observer), observer);
  const asked = async (name: string) => {
    const endpoint = await namedEndpoint(name, observer);
    const needs = { right: "configure", extent: endpoint.experiment_id, subject: name } as const;
    return { endpoint, by: await authorizedActor(invocation, database, needs) };
  };
  return {
    show,
    set: async (name, options) => {
      const { endpoint, by } = await asked(name);
      const change = (before: IngressPolicy) => ({
        tls: certificateOf(before.tls, options),
        ...changeOf(before, options),
      });
      await changeIngressPolicy(endpoint, change, { reason: options.reason, by }, observer, signal);
      return show(name);
    },
    makeKey: async (name, request) => {
      const { endpoint, by } = await asked(name);
      return makeKey(endpoint, request, by, observer, signal);
    },
    revokeKey: async (name, keyId) => {
      const { by } = await asked(name);
      await revokeKey(name, keyId, by, observer, signal);
      return show(name);
    },
  };
}
