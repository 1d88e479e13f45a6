import { dirname } from "node:path";
import type { CertificateFiles } from "../../../agents/model_deployer/domain/access/ingress_policy.ts";

export const CERTIFICATE_NAME = "ingress_certificate";

/**
 * Where the certificate and its key lie, as Envoy's discovery response. Envoy reads both again where a file is moved into
 * the certificate's folder; a version of its own, such as a digest of both, has it read files that were written in place.
 */
export function toCertificateFile({ certificate, key }: CertificateFiles, version: string): string {
  return JSON.stringify({
    version_info: version,
    resources: [
      {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        name: CERTIFICATE_NAME,
        tls_certificate: {
          certificate_chain: { filename: certificate },
          private_key: { filename: key },
          watched_directory: { path: dirname(certificate) },
        },
      },
    ],
  });
}
