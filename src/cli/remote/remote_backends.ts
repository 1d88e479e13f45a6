import { auditReportSchema, auditVerificationSchema } from "../../service/audit/audit_schemas.ts";
import { ingressReportSchema, newKeyReportSchema } from "../../service/ingress/ingress_schemas.ts";
import { changeOf, refuseRemoteFiles } from "../commands/settings/ingress_options.ts";
import {
  removedSinkSchema,
  retriedSinkSchema,
  sinkReportSchema,
  sinksReportSchema,
  sinkTrialSchema,
} from "../../service/notifications/sink_schemas.ts";
import {
  principalReportSchema,
  principalsReportSchema,
  removalReportSchema,
} from "../../service/people/principal_schemas.ts";
import type { AuditBackend, IngressBackend, PrincipalBackend, SinkBackend } from "./backends.ts";
import type { RemoteApi } from "./remote_api.ts";

const at = (...parts: string[]): string => `/v1/${parts.map(encodeURIComponent).join("/")}`;

export function remotePrincipalBackend(api: RemoteApi): PrincipalBackend {
  const changed = (path: string, body: unknown) => api.ask(principalsReportSchema, path, { body });
  return {
    list: (principal) => api.ask(principalsReportSchema, at("principals"), { query: { principal } }),
    enrol: (body) => api.ask(principalReportSchema, at("principals"), { body }),
    token: (principal, body) =>
      api.ask(principalReportSchema, at("principals", principal, "tokens"), { body }),
    revokeToken: (id) => api.ask(principalsReportSchema, at("tokens", id), { method: "DELETE" }),
    grant: (principal, body) => changed(at("principals", principal, "grants"), body),
    revoke: (principal, body) => changed(at("principals", principal, "revocations"), body),
    remove: (principal, body) =>
      api.ask(removalReportSchema, at("principals", principal, "removals"), { body }),
    link: (principal, body) => changed(at("principals", principal, "logins"), body),
    unlink: (body) => changed(at("logins", "unlinked"), body),
  };
}

/** The audit trail through the API; its lines are as they were hashed. */
export function remoteAuditBackend(api: RemoteApi): AuditBackend {
  const links = async (query: Record<string, string | number | undefined>) =>
    (await api.ask(auditReportSchema, at("audit"), { query })).links;
  return {
    newest: ({ limit, who, subject }) => links({ limit, who, subject }),
    after: async (after, limit) =>
      (await links({ after, limit })).map(({ entry, line, previous, hash }) => ({
        ...{ sequence: entry.sequence, entry: line, previous, hash },
      })),
    verify: (includes) =>
      api.ask(auditVerificationSchema, at("audit", "verification"), { query: { includes } }),
  };
}

/** Who is told, through the API; a reference to a secret leads to where the deployer runs. */
export function remoteSinkBackend(api: RemoteApi): SinkBackend {
  const to = (sink: string, ...parts: string[]) => at("notifications", sink, ...parts);
  return {
    list: () => api.ask(sinksReportSchema, at("notifications")),
    set: (sink, body) => api.ask(sinkReportSchema, to(sink), { method: "PUT", body }),
    tryOut: (sink) => api.ask(sinkTrialSchema, to(sink, "trials"), { method: "POST" }),
    retry: (sink) => api.ask(retriedSinkSchema, to(sink, "retries"), { method: "POST" }),
    remove: (sink) => api.ask(removedSinkSchema, to(sink), { method: "DELETE" }),
  };
}

/** Who may call an endpoint, through the API; files are those of the machine that serves, and are named there. */
export function remoteIngressBackend(api: RemoteApi): IngressBackend {
  const to = (endpoint: string, ...parts: string[]) => at("endpoints", endpoint, ...parts);
  const show = (endpoint: string) => api.ask(ingressReportSchema, to(endpoint, "ingress"));
  return {
    show,
    set: async (endpoint, options) => {
      refuseRemoteFiles(options);
      const body = { ...changeOf((await show(endpoint)).policy, options), reason: options.reason };
      return api.ask(ingressReportSchema, to(endpoint, "ingress"), { method: "PUT", body });
    },
    makeKey: (endpoint, body) => api.ask(newKeyReportSchema, to(endpoint, "keys"), { body }),
    revokeKey: (endpoint, key) =>
      api.ask(ingressReportSchema, to(endpoint, "keys", key), { method: "DELETE" }),
  };
}
