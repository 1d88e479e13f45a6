import type { z } from "zod";
import type { AuditLink } from "../../database/repositories/reading/audit_trail.ts";
import type { AuditLinkView, AuditVerification } from "../../service/audit/audit_schemas.ts";
import type { IngressReport, NewKeyReport, NewKeyRequest } from "../../service/ingress/ingress_schemas.ts";
import type { IngressOptions } from "../commands/settings/ingress_options.ts";
import type {
  removedSinkSchema,
  retriedSinkSchema,
  sinkReportSchema,
  SinkRequest,
  sinksReportSchema,
  sinkTrialSchema,
} from "../../service/notifications/sink_schemas.ts";
import type {
  EnrolmentRequest,
  grantRequestSchema,
  loginSchema,
  newTokenSchema,
  principalReportSchema,
  PrincipalsReport,
  removalReportSchema,
  principalRemovalRequestSchema,
} from "../../service/people/principal_schemas.ts";

/** The changes of principals, made here or through the API. */
export interface PrincipalBackend {
  list(principal: string | null): Promise<PrincipalsReport>;
  enrol(request: EnrolmentRequest): Promise<z.infer<typeof principalReportSchema>>;
  token(
    principal: string,
    request: z.infer<typeof newTokenSchema>,
  ): Promise<z.infer<typeof principalReportSchema>>;
  revokeToken(tokenId: string, principal: string): Promise<PrincipalsReport>;
  grant(principal: string, request: z.infer<typeof grantRequestSchema>): Promise<PrincipalsReport>;
  revoke(principal: string, request: z.infer<typeof grantRequestSchema>): Promise<PrincipalsReport>;
  remove(
    principal: string,
    request: z.infer<typeof principalRemovalRequestSchema>,
  ): Promise<z.infer<typeof removalReportSchema>>;
  link(principal: string, request: z.infer<typeof loginSchema>): Promise<PrincipalsReport>;
  unlink(request: z.infer<typeof loginSchema>): Promise<PrincipalsReport>;
}

/** Who is told of what, here or through the API. */
export interface SinkBackend {
  list(): Promise<z.infer<typeof sinksReportSchema>>;
  set(sink: string, request: SinkRequest): Promise<z.infer<typeof sinkReportSchema>>;
  tryOut(sink: string): Promise<z.infer<typeof sinkTrialSchema>>;
  retry(sink: string): Promise<z.infer<typeof retriedSinkSchema>>;
  remove(sink: string): Promise<z.infer<typeof removedSinkSchema>>;
}

/** Who may call an endpoint, and how much, here or through the API. */
export interface IngressBackend {
  show(endpoint: string): Promise<IngressReport>;
  set(endpoint: string, options: IngressOptions): Promise<IngressReport>;
  makeKey(endpoint: string, request: NewKeyRequest): Promise<NewKeyReport>;
  revokeKey(endpoint: string, keyId: string): Promise<IngressReport>;
}

interface Chosen {
  limit: number;
  who?: string | undefined;
  subject?: string | undefined;
}

/** The audit trail, here or through the API. */
export interface AuditBackend {
  newest(options: Chosen): Promise<AuditLinkView[]>;
  after(sequence: number, limit: number): Promise<AuditLink[]>;
  verify(includes: string | null): Promise<AuditVerification>;
}
